// SPDX-License-Identifier: Apache-2.0
// Packed RGB + labels + style + overlay picture -> packed RGB view. An invocation makes one pixel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "iface.h"
#include "frame.glsl"

layout(local_size_x = 32, local_size_y = 2) in;
layout(constant_id = 1) const uint SOURCE_BGR = 0;
layout(constant_id = 2) const uint VIEW_BGR = 0;
layout(constant_id = 3) const uint KEEP_ALPHA = 0; // the fourth byte is passed through, else 255

layout(push_constant) uniform PUSH { frame_blend_push p; };

void main()
{
    uint x = gl_GlobalInvocationID.x, y = gl_GlobalInvocationID.y;
    if (x >= p.view_width || y >= p.view_height)
        return;
    uint sx = source_x(x, p.width);
    uvec4 s = unpack(source[y * p.src_stride + sx]);
    uvec3 v = SOURCE_BGR != 0 ? s.zyx : s.xyz;
    if (VIEW == FRAME_VIEW_MASK)
        v = uvec3(0);
    if (masked(x, p.width)) {
        uint label = label_at(sx, y, p.label_stride), w = mask_weight(label);
        v = (v * (65536u - w) + mask_colour(label) * w + 32768u) >> 16;
    }
    uvec4 o = picture_at(x, y);
    v = (v * (255u - o.w) + o.xyz * o.w + 127u) / 255u;
    view[y * p.view_stride + x] = pack(uvec4(VIEW_BGR != 0 ? v.zyx : v, KEEP_ALPHA != 0 ? s.w : 255u));
}
