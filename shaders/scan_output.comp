// SPDX-License-Identifier: Apache-2.0
// Selective scan, last pass: every chunk again, now from the state it starts with, and the sum of the four directions.
// The row scans' part passes to the column scans through shared memory; nothing is stored but y.
#version 450
#extension GL_GOOGLE_include_directive : require
#define SCRATCH_ACCESS readonly
#include "common.glsl"
#include "iface.h"
#include "scan.glsl"

layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

shared vec4 part[GROUP * SIDE]; // (tile, row, column, lane)

void scan(chunk c, uint axis, bool reversed, uint quad, vec4 u[SIDE], inout vec4 sum[SIDE])
{
    uint k = axis + (reversed ? 2 : 0);
    vec4 dt[SIDE];
    vec2 bc[SIDE];
    steps(c, k, quad, dt, bc);
    vec4 rate = decay_rate(k, quad), state = scratch[push.states + state_at(c, axis, reversed, quad)];
    for (uint j = 0; j < SIDE; ++j) {
        uint i = reversed ? SIDE - 1 - j : j;
        state = exp2(dt[i] * rate) * state + dt[i] * bc[i].x * u[i];
        sum[i] += bc[i].y * state;
    }
}

void main()
{
    uint lane = gl_LocalInvocationID.x % LANES, line = gl_LocalInvocationID.x / LANES;
    uint quad = gl_WorkGroupID.x * LANES + lane;
    uvec2 tile = uvec2(gl_WorkGroupID.y * (GROUP / (SIDE * LANES)) + line / SIDE, gl_WorkGroupID.z);
    uint base = line / SIDE * SIDE * SIDE;
    line %= SIDE;
    vec4 u[SIDE], sum[SIDE];

    chunk c = chunk_of(0, tile, line);
    if (c.count > 0 && quad < push.quads) {
        vec4 skip = skip_weight(quad);
        load_chunk(c, quad, u);
        for (uint i = 0; i < SIDE; ++i)
            sum[i] = skip * u[i];
        scan(c, 0, false, quad, u, sum);
        scan(c, 0, true, quad, u, sum);
        for (uint i = 0; i < SIDE; ++i)
            part[(base + line * SIDE + i) * LANES + lane] = sum[i];
    }
    barrier();

    c = chunk_of(1, tile, line);
    if (c.count == 0 || quad >= push.pad)
        return;
    for (uint i = 0; i < SIDE; ++i)
        sum[i] = vec4(0.0);
    if (quad < push.quads) {
        load_chunk(c, quad, u);
        scan(c, 1, false, quad, u, sum);
        scan(c, 1, true, quad, u, sum);
        for (uint i = 0; i < SIDE; ++i)
            sum[i] += part[(base + i * SIDE + line) * LANES + lane];
    }
    for (uint i = 0; i < SIDE; ++i)
        if (i < c.count)
            y[pixel_at(c, i) * push.y_stride + push.y_offset + quad] = store_quad(sum[i]);
}
