// SPDX-License-Identifier: Apache-2.0
// Bilinear resize with half-pixel centres (torch's align_corners=False, no antialiasing), larger or smaller.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 128) in;

layout(push_constant) uniform PUSH { resize_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) writeonly buffer Y { QUAD y[]; };

vec4 source(uint row, uint column, uint quad)
{
    return load_quad(x[(row * push.in_w + column) * push.x_stride + push.x_offset + quad]);
}

void main()
{
    uint quad = gl_GlobalInvocationID.x % push.pad, column = gl_GlobalInvocationID.x / push.pad, row = gl_WorkGroupID.y;
    if (column >= push.w)
        return;
    vec4 v = vec4(0.0);
    if (quad < push.quads) {
        vec2 at = max((vec2(column, row) + 0.5) * vec2(push.scale_x, push.scale_y) - 0.5, 0.0);
        uvec2 last = uvec2(push.in_w, push.in_h) - 1;
        uvec2 a = min(uvec2(at), last), b = min(a + 1, last);
        vec2 f = at - vec2(a);
        vec4 upper = mix(source(a.y, a.x, quad), source(a.y, b.x, quad), f.x);
        vec4 lower = mix(source(b.y, a.x, quad), source(b.y, b.x, quad), f.x);
        v = mix(upper, lower, f.y);
    }
    y[(row * push.w + column) * push.y_stride + push.y_offset + quad] = store_quad(v);
}
