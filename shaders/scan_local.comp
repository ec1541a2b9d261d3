// SPDX-License-Identifier: Apache-2.0
// Selective scan, pass 2: of every chunk and direction, the product of a and the state it ends with from zero.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define SCRATCH_ACCESS
#include "common.glsl"
#include "iface.h"
#include "scan.glsl"

void main()
{
    place at = find_place();
    uint quad = computed_quad(at);
    [[dont_unroll]] for (uint sequence = 0; sequence < 4; ++sequence) {
        chunk c = chunk_of(sequence, at);
        if (c.count == 0)
            continue;
        vec4 dt[SIDE], u[SIDE];
        vec2 bc[SIDE];
        load_chunk(c, quad, u);
        steps(c, quad, dt, bc);
        vec4 rate = decay_rate(c.k, quad), product = vec4(1.0), state = vec4(0.0);
        [[unroll]] for (uint i = 0; i < SIDE; ++i) {
            vec4 a = exp2(dt[i] * rate);
            state = a * state + dt[i] * bc[i].x * u[i];
            product *= a;
        }
        if (at.quad == quad) {
            scratch[push.products + c.state] = product;
            scratch[push.states + c.state] = state;
        }
    }
}
