// SPDX-License-Identifier: Apache-2.0
// Global mean, pass 1: a workgroup sums a slice of the pixels for LANES quads of channels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"
#include "pool.glsl"

layout(push_constant) uniform PUSH { pool_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) writeonly buffer SUMS { vec4 sums[]; }; // (slices, quads)

void main()
{
    uint quad = gl_WorkGroupID.x * LANES + gl_LocalInvocationID.x % LANES, line = gl_LocalInvocationID.x / LANES;
    uint first = gl_WorkGroupID.y * push.slice, last = min(first + push.slice, push.pixels);
    vec4 s = vec4(0.0);
    if (quad < push.quads)
        for (uint i = first + line; i < last; i += LINES)
            s += load_quad(x[i * push.x_stride + push.x_offset + quad]);
    s = sum_of_lines(s);
    if (line == 0 && quad < push.quads)
        sums[gl_WorkGroupID.y * push.quads + quad] = s;
}
