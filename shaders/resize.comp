// SPDX-License-Identifier: Apache-2.0
// Bilinear resize with half-pixel centres (torch's align_corners=False, no antialiasing), larger or smaller: of one map, or of
// several to the same size, summed, and the sum's activation. An invocation makes a quad of some rows of a column.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint MAPS = 1;
layout(constant_id = 1) const uint SAME = 0; // bit i: map i has the output's size
layout(constant_id = 2) const uint ACT = ACT_NONE;
layout(constant_id = 3) const uint PAD = 1;  // quads written a pixel
layout(constant_id = 4) const uint ROWS = 1; // of an invocation

layout(push_constant) uniform PUSH { resize_push p; };
layout(std430, binding = 0) readonly buffer X0 { QUAD x0[]; };
layout(std430, binding = 1) readonly buffer X1 { QUAD x1[]; };
layout(std430, binding = 2) readonly buffer X2 { QUAD x2[]; };
layout(std430, binding = 3) readonly buffer X3 { QUAD x3[]; };
layout(std430, binding = 4) writeonly buffer Y { QUAD y[]; };

// The two lines of a map around a line of the output, and how far it lies towards the second.
uvec2 lines(uint at, float scale, uint size, out float fraction)
{
    float v = max((float(at) + 0.5) * scale - 0.5, 0.0);
    uint first = min(uint(v), size - 1);
    fraction = v - float(first);
    return uvec2(first, min(first + 1, size - 1));
}

// Adds map i to v.
#define ADD(i, map)                                                                                                    \
    if (i < MAPS) {                                                                                                   \
        if ((SAME >> i & 1) != 0) {                                                                                   \
            v += load_quad(map[(row * p.w + column) * p.x_stride[i] + p.x_offset[i] + quad]);                          \
        } else {                                                                                                      \
            vec2 f;                                                                                                   \
            uvec2 r = lines(row, p.scale_y[i], p.in_h[i], f.y) * p.in_w[i], c = lines(column, p.scale_x[i], p.in_w[i], f.x); \
            uvec4 at = uvec4(r.xx + c, r.yy + c) * p.x_stride[i] + p.x_offset[i] + quad;                              \
            vec4 upper = mix(load_quad(map[at.x]), load_quad(map[at.y]), f.x);                                            \
            v += mix(upper, mix(load_quad(map[at.z]), load_quad(map[at.w]), f.x), f.y);                                   \
        }                                                                                                             \
    }

void main()
{
    uint quad = gl_GlobalInvocationID.x % PAD, column = gl_GlobalInvocationID.x / PAD, last = min((gl_WorkGroupID.y + 1) * ROWS, p.h);
    if (column >= p.w)
        return;
    for (uint row = gl_WorkGroupID.y * ROWS; row < last; row++) {
        vec4 v = vec4(0.0);
        if (quad < p.quads) {
            ADD(0, x0)
            ADD(1, x1)
            ADD(2, x2)
            ADD(3, x3)
            v = activate(v, ACT);
        }
        y[(row * p.w + column) * p.y_stride + p.y_offset + quad] = store_quad(v);
    }
}
