// SPDX-License-Identifier: Apache-2.0
// Selective scan, between the passes over chunks (scan_local and scan_output, or scan_chunks and scan_sum): replaces every chunk's
// last state by the one the chunk starts with. A workgroup does one quad of channels of one sequence; each of its LINES invocations owns consecutive chunks. Very long
// sequences are cut into segments, a workgroup each: a first pass sums them up, a second one starts from these sums.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // LINES
layout(constant_id = 1) const uint LINES = 128; // a multiple of RUN
layout(constant_id = 2) const uint POOL = 288;
layout(constant_id = 3) const uint STEP = 0;
#define WHOLE 0  // steps: the sequence at once
#define REDUCE 1 // sums of segments
#define APPLY 2  // from the sums on
#define BATCH 4 // chunks that are loaded at a time

#define STATE vec4
const uint WIDTH = 1, SEQUENCE = LINES, ENTRIES = LINES;
#include "scan_join.glsl"

layout(push_constant) uniform PUSH { scan_carry_push push; };
layout(std430, binding = 0) buffer STATES { vec4 states[]; }; // (chunks, quads) of the four sequences: product and state

void load_batch(uint at, uint count, out vec4 product[BATCH], out vec4 state[BATCH])
{
    [[unroll]] for (uint i = 0; i < BATCH; ++i) {
        uint c = 2 * (at + min(i, count - 1) * push.quads);
        product[i] = i < count ? states[c] : vec4(1.0);
        state[i] = i < count ? states[c + 1] : vec4(0.0);
    }
}

uint sum_at(uint segment)
{
    return push.sums + ((segment * 4 + gl_WorkGroupID.y) * push.quads + gl_WorkGroupID.x) * 2;
}

// The state that the workgroup's segment starts with.
vec4 first_state()
{
    vec4 state = vec4(0.0);
    for (uint i = 0; i < gl_WorkGroupID.z; ++i)
        state = states[sum_at(i)] * state + states[sum_at(i) + 1];
    return state;
}

void store_sum()
{
    vec4 product = vec4(1.0), state = vec4(0.0);
    for (uint i = 0; i < LINES / RUN; ++i) {
        state = pool[TOTALS + 2 * i] * state + pool[TOTALS + 2 * i + 1];
        product *= pool[TOTALS + 2 * i];
    }
    states[sum_at(gl_WorkGroupID.z)] = product;
    states[sum_at(gl_WorkGroupID.z) + 1] = state;
}

void main()
{
    uint sequence = gl_WorkGroupID.y, n = sequence < 2 ? push.rows : push.columns;
    uint before = sequence < 2 ? sequence * push.rows : 2 * push.rows + (sequence - 2) * push.columns;
    uint each = STEP == WHOLE ? (n + LINES - 1) / LINES : BATCH, line = gl_LocalInvocationID.x;
    uint first = min((gl_WorkGroupID.z * LINES + line) * each, n), count = min(first + each, n) - first, at = (before + first) * push.quads + gl_WorkGroupID.x;
    vec4 product = vec4(1.0), state = vec4(0.0), products[BATCH], ends[BATCH];
    for (uint i = 0; i < count; i += BATCH) {
        load_batch(at + i * push.quads, count - i, products, ends);
        [[unroll]] for (uint j = 0; j < BATCH; ++j) {
            state = products[j] * state + ends[j];
            product *= products[j];
        }
    }
    vec4 start = STEP == APPLY && line == 0 ? first_state() : vec4(0.0);
    pool[entry_at(line, 0)] = product;
    pool[entry_at(line, 0) + 1] = product * start + state;
    states_before();
    if (STEP == REDUCE) {
        if (line == 0)
            store_sum();
        return;
    }
    state = line == 0 ? start : pool[entry_at(line, 0) + 1];
    for (uint i = 0; i < count; i += BATCH) {
        if (each > BATCH) // else they are in hand
            load_batch(at + i * push.quads, count - i, products, ends);
        [[unroll]] for (uint j = 0; j < BATCH; ++j) {
            if (i + j < count)
                states[2 * (at + (i + j) * push.quads) + 1] = state;
            state = products[j] * state + ends[j];
        }
    }
}
