// SPDX-License-Identifier: Apache-2.0
// Selective scan, pass 2: of every chunk and direction, the product of a and the state it ends with from zero. Both
// directions of an axis are swept the same way: the reversed one's state grows at its far end.
#version 450
#extension GL_GOOGLE_include_directive : require
#define SCRATCH_ACCESS
#include "common.glsl"
#include "iface.h"
#include "scan.glsl"

void scan(chunk c, uint axis, bool reversed, uint quad, vec4 u[SIDE])
{
    uint k = axis + (reversed ? 2 : 0);
    vec4 dt[SIDE];
    vec2 bc[SIDE];
    steps(c, k, quad, dt, bc);
    vec4 rate = decay_rate(k, quad), product = vec4(1.0), state = vec4(0.0);
    for (uint i = 0; i < SIDE; ++i) {
        vec4 a = exp2(dt[i] * rate), b = dt[i] * bc[i].x * u[i];
        state = reversed ? state + product * b : a * state + b;
        product *= a;
    }
    uint at = state_at(c, axis, reversed, quad);
    scratch[push.products + at] = product;
    scratch[push.states + at] = state;
}

void main()
{
    uint line = gl_LocalInvocationID.x / LANES;
    uint quad = gl_WorkGroupID.x * LANES + gl_LocalInvocationID.x % LANES;
    uvec2 tile = uvec2(gl_WorkGroupID.y * (GROUP / (SIDE * LANES)) + line / SIDE, gl_WorkGroupID.z);
    if (quad >= push.quads)
        return;
    for (uint axis = 0; axis < 2; ++axis) {
        chunk c = chunk_of(axis, tile, line % SIDE);
        if (c.count == 0)
            continue;
        vec4 u[SIDE];
        load_chunk(c, quad, u);
        scan(c, axis, false, quad, u);
        scan(c, axis, true, quad, u);
    }
}
