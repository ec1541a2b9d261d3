// SPDX-License-Identifier: Apache-2.0
// Selective scan, last pass: every chunk again, now from the state it starts with, and the sum of the four directions.
// It gathers in shared memory, direction by direction; nothing is stored but y.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define SCRATCH_ACCESS readonly
#include "common.glsl"
#include "iface.h"
#include "scan.glsl"

layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

shared vec4 sums[GROUP * SIDE]; // (tile, row, column, lane)

// Place in sums of pixel i of the invocation's chunk.
uint sum_at(uint sequence, chunk c, uint i)
{
    uint group = gl_LocalInvocationID.x / LANES, line = group % SIDE, along = sequence % 2 == 1 ? c.count - 1 - i : i;
    uint pixel = sequence < 2 ? line * SIDE + along : along * SIDE + line;
    return (group / SIDE * SIDE * SIDE + pixel) * LANES + gl_LocalInvocationID.x % LANES;
}

void store(chunk c, uint i, uint quad, vec4 v)
{
    if (quad < push.pad)
        y[pixel_at(c, i) * push.y_stride + push.y_offset + quad] = store_quad(quad < push.quads ? v : vec4(0.0));
}

void scan(uint sequence, chunk c, place at)
{
    uint quad = computed_quad(at);
    vec4 dt[SIDE], u[SIDE];
    vec2 bc[SIDE];
    load_chunk(c, quad, u);
    steps(c, quad, dt, bc);
    vec4 rate = decay_rate(c.k, quad), skip = skip_weight(quad), state = scratch[push.states + c.state];
    [[unroll]] for (uint i = 0; i < SIDE; ++i) {
        state = exp2(dt[i] * rate) * state + dt[i] * bc[i].x * u[i];
        if (i < c.count) {
            uint to = sum_at(sequence, c, i);
            vec4 sum = bc[i].y * state + (sequence == 0 ? skip * u[i] : sums[to]);
            if (sequence < 3)
                sums[to] = sum;
            else
                store(c, i, at.quad, sum);
        }
    }
}

void main()
{
    place at = find_place();
    [[dont_unroll]] for (uint sequence = 0; sequence < 4; ++sequence) {
        chunk c = chunk_of(sequence, at);
        if (sequence == 2)
            barrier(); // the rows' sums pass to the invocations of the columns
        if (c.count > 0)
            scan(sequence, c, at);
    }
}
