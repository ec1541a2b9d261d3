// SPDX-License-Identifier: Apache-2.0
// Selective scan, between the passes over chunks (scan_local, scan_tile_states or scan_chunks before it): replaces every chunk's
// last state by the one the chunk starts with. A workgroup does WIDTH quads of channels of one sequence; each of its LINES lines of
// invocations owns consecutive chunks. Very long sequences are cut into segments, a workgroup each: a first pass sums them up, a
// second one starts from these sums.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // LINES * WIDTH
layout(constant_id = 1) const uint LINES = 128; // a multiple of RUN
layout(constant_id = 2) const uint POOL = 288;
layout(constant_id = 3) const uint STEP = 0;
layout(constant_id = 4) const uint WIDTH = 1; // divides the quads
#define WHOLE 0  // steps: the sequence at once
#define REDUCE 1 // sums of segments
#define APPLY 2  // from the sums on
#define BATCH 4 // chunks that are loaded at a time

#define STATE vec4
const uint SEQUENCE = LINES, ENTRIES = LINES;
#include "scan_join.glsl"

layout(push_constant) uniform PUSH { scan_carry_push push; };
layout(std430, binding = 0) buffer STATES { vec4 states[]; }; // (chunks, quads) of the four sequences: product and state

uint quad, vector; // quad of channels, and which of the workgroup's

// The next `count` chunks from the quad `at` on; then such as change nothing.
void load_batch(uint at, uint count, out vec4 product[BATCH], out vec4 state[BATCH])
{
    [[unroll]] for (uint i = 0; i < BATCH; ++i) {
        uint c = at + min(i, count - 1) * 2 * push.quads;
        product[i] = i < count ? states[c] : vec4(1.0);
        state[i] = i < count ? states[c + 1] : vec4(0.0);
    }
}

uint sum_at(uint segment)
{
    return push.sums + ((segment * 4 + gl_WorkGroupID.y) * push.quads + quad) * 2;
}

// The state that the workgroup's segment starts with, for line 0: each line asks for one of the sums before.
vec4 first_state(uint line)
{
    vec4 state = vec4(0.0);
    for (uint i = 0; i < gl_WorkGroupID.z; i += LINES) {
        uint n = min(LINES, gl_WorkGroupID.z - i), to = 2 * (line * WIDTH + vector);
        if (line < n) {
            pool[to] = states[sum_at(i + line)];
            pool[to + 1] = states[sum_at(i + line) + 1];
        }
        barrier();
        for (uint j = 0; line == 0 && j < n; ++j)
            state = pool[2 * (j * WIDTH + vector)] * state + pool[2 * (j * WIDTH + vector) + 1];
        barrier();
    }
    return state;
}

void store_sum()
{
    vec4 product = vec4(1.0), state = vec4(0.0);
    for (uint i = 0; i < LINES / RUN; ++i) {
        uint at = TOTALS + 2 * (i * WIDTH + vector);
        state = pool[at] * state + pool[at + 1];
        product *= pool[at];
    }
    states[sum_at(gl_WorkGroupID.z)] = product;
    states[sum_at(gl_WorkGroupID.z) + 1] = state;
}

void main()
{
    uint sequence = gl_WorkGroupID.y, n = sequence < 2 ? push.rows : push.columns, line = gl_LocalInvocationID.x / WIDTH;
    uint before = sequence < 2 ? sequence * push.rows : 2 * push.rows + (sequence - 2) * push.columns;
    uint each = STEP == WHOLE ? (n + LINES - 1) / LINES : BATCH;
    uint first = min((gl_WorkGroupID.z * LINES + line) * each, n), count = min(first + each, n) - first;
    vector = gl_LocalInvocationID.x % WIDTH;
    quad = gl_WorkGroupID.x * WIDTH + vector;
    uint at = ((before + first) * push.quads + quad) * 2, apart = 2 * push.quads;
    vec4 product = vec4(1.0), state = vec4(0.0), products[BATCH], ends[BATCH];
    for (uint i = 0; i < count; i += BATCH) {
        load_batch(at + i * apart, count - i, products, ends);
        [[unroll]] for (uint j = 0; j < BATCH; ++j) {
            state = products[j] * state + ends[j];
            product *= products[j];
        }
    }
    vec4 start = STEP == APPLY ? first_state(line) : vec4(0.0);
    pool[entry_at(line, vector)] = product;
    pool[entry_at(line, vector) + 1] = product * start + state;
    states_before();
    if (STEP == REDUCE) {
        if (line == 0)
            store_sum();
        return;
    }
    state = line == 0 ? start : pool[entry_at(line, vector) + 1];
    for (uint i = 0; i < count; i += BATCH) {
        if (each > BATCH) // else they are in hand
            load_batch(at + i * apart, count - i, products, ends);
        [[unroll]] for (uint j = 0; j < BATCH; ++j) {
            if (i + j < count)
                states[at + (i + j) * apart + 1] = state;
            state = products[j] * state + ends[j];
        }
    }
}
