// SPDX-License-Identifier: Apache-2.0
// Selective scan, pass 2: of every chunk and direction, the product of a and the state it ends with from zero.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define STATES_ACCESS writeonly
#include "common.glsl"
#include "iface.h"
#include "scan.glsl"

void main()
{
    place at = find_place();
    chunk c = chunk_of(at);
    if (c.count == 0 || at.quad >= push.quads)
        return;
    vec4 a[SIDE], b[SIDE], product = vec4(1.0), state = vec4(0.0);
    float to_y[SIDE];
    load_steps(c, at.quad, a, b, to_y);
    [[unroll]] for (uint i = 0; i < SIDE; ++i) {
        state = a[i] * state + b[i];
        product *= a[i];
    }
    states[c.state] = product;
    states[c.state + 1] = state;
}
