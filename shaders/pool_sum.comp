// SPDX-License-Identifier: Apache-2.0
// Global mean, pass 2: sums the slices.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"
#include "pool.glsl"

layout(push_constant) uniform PUSH { pool_sum_push push; };
layout(std430, binding = 0) readonly buffer SUMS { vec4 sums[]; }; // (slices, quads)
layout(std430, binding = 1) writeonly buffer Y { QUAD y[]; };

void main()
{
    uint quad = gl_WorkGroupID.x * LANES + gl_LocalInvocationID.x % LANES, line = gl_LocalInvocationID.x / LANES;
    vec4 s = vec4(0.0);
    if (quad < push.quads)
        for (uint i = line; i < push.slices; i += LINES)
            s += sums[i * push.quads + quad];
    s = sum_of_lines(s);
    if (line == 0 && quad < push.pad)
        y[push.y_offset + quad] = store_quad(s * push.scale);
}
