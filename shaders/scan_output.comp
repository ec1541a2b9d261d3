// SPDX-License-Identifier: Apache-2.0
// Selective scan, last pass over the tiles: every chunk again, now from the state it starts with, and the sum of the four
// directions, which meet in shared memory; nothing is stored but y.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define STATES_ACCESS readonly
#include "common.glsl"
#include "iface.h"
#include "scan.glsl"

layout(std430, binding = 5) writeonly buffer Y { QUAD y[]; };

#define SQUARE (SIDE * SIDE)
shared vec4 terms[4 * SQUARE * LANES]; // (sequence, row, column, lane)

void scan(place at, chunk c)
{
    uint quad = computed_quad(at), along = at.sequence < 2 ? 1 : SIDE, across = at.sequence < 2 ? SIDE : 1;
    uint lane = gl_LocalInvocationID.x % LANES;
    bool reversed = at.sequence % 2 == 1;
    vec4 a[SIDE], b[SIDE], state = states[c.state + 1];
    float to_y[SIDE];
    load_steps(c, quad, a, b, to_y);
    [[unroll]] for (uint i = 0; i < SIDE; ++i) {
        state = a[i] * state + b[i];
        uint from_start = reversed ? c.count - 1 - i : i;
        if (i < c.count)
            terms[(at.sequence * SQUARE + from_start * along + at.line * across) * LANES + lane] = to_y[i] * state;
    }
}

void store(uvec2 at, uint i)
{
    uint lane = i % LANES, quad = gl_WorkGroupID.x * LANES + lane, pixel = at.y * push.w + at.x;
    if (at.x >= push.w || at.y >= push.h || quad >= push.pad)
        return;
    vec4 sum = vec4(0.0);
    if (quad < push.quads) {
        sum = vectors[8 * push.quads + quad] * load_quad(x[pixel * push.x_stride + push.x_offset + quad]);
        [[unroll]] for (uint sequence = 0; sequence < 4; ++sequence)
            sum += terms[sequence * SQUARE * LANES + i];
    }
    y[pixel * push.y_stride + push.y_offset + quad] = store_quad(sum);
}

void main()
{
    place at = find_place();
    chunk c = chunk_of(at);
    if (c.count > 0)
        scan(at, c);
    barrier();
    for (uint i = gl_LocalInvocationID.x; i < SQUARE * LANES; i += 4 * SIDE * LANES)
        store(at.tile * SIDE + uvec2(i / LANES % SIDE, i / LANES / SIDE), i);
}
