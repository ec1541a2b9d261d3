// SPDX-License-Identifier: Apache-2.0
// Selective scan, between the passes over the tiles: replaces every chunk's state by the one the chunk starts with. A
// workgroup does one quad of channels of one sequence; each of its LINES invocations owns consecutive chunks.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // LINES
layout(constant_id = 1) const uint LINES = 128; // a multiple of RUN
layout(constant_id = 2) const uint POOL = 288;

#define STATE vec4
const uint WIDTH = 1, SEQUENCE = LINES, ENTRIES = LINES;
#include "scan_join.glsl"

layout(push_constant) uniform PUSH { scan_carry_push push; };
layout(std430, binding = 0) buffer STATES { vec4 states[]; }; // (chunks, quads) of the four sequences: product and state

void main()
{
    uint sequence = gl_WorkGroupID.y, n = sequence < 2 ? push.rows : push.columns;
    uint before = sequence < 2 ? sequence * push.rows : 2 * push.rows + (sequence - 2) * push.columns;
    uint each = (n + LINES - 1) / LINES, line = gl_LocalInvocationID.x;
    uint first = min(line * each, n), last = min(first + each, n), at = (before + first) * push.quads + gl_WorkGroupID.x;
    vec4 product = vec4(1.0), state = vec4(0.0);
    for (uint i = 0; i < last - first; ++i) {
        vec4 p = states[2 * (at + i * push.quads)];
        state = p * state + states[2 * (at + i * push.quads) + 1];
        product *= p;
    }
    pool[entry_at(line, 0)] = product;
    pool[entry_at(line, 0) + 1] = state;
    states_before();
    state = pool[entry_at(line, 0) + 1];
    for (uint i = 0; i < last - first; ++i) {
        uint c = 2 * (at + i * push.quads);
        vec4 p = states[c], end = states[c + 1];
        states[c + 1] = state;
        state = p * state + end;
    }
}
