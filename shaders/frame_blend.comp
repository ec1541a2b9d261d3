// SPDX-License-Identifier: Apache-2.0
// Packed RGB + labels + style + overlay picture -> packed RGB view. An invocation makes four pixels of a row.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "iface.h"
#include "frame.glsl"

layout(local_size_x = 16, local_size_y = 4) in;
layout(constant_id = 1) const uint SOURCE_BGR = 0;
layout(constant_id = 2) const uint VIEW_BGR = 0;
layout(constant_id = 3) const uint KEEP_ALPHA = 0; // the fourth byte is passed through, else 255

// The same memory, four pixels at a time: rows are whole multiples of 64 bytes.
layout(std430, binding = 0) readonly buffer S4 { uvec4 source4[]; };
layout(std430, binding = 4) writeonly buffer V4 { uvec4 view4[]; };
layout(push_constant) uniform PUSH { frame_blend_push p; };

// The pixel of the frame with its mask, in the view's order of bytes.
uint blend(uint word, uint x, uint y, uint label, Picture o, bool picture)
{
    uvec4 s = unpack(word);
    uvec3 v = SOURCE_BGR != 0 ? s.zyx : s.xyz;
    if (VIEW == FRAME_VIEW_MASK)
        v = uvec3(0);
    if (masked(x, p.width)) {
        uint w;
        uvec3 colour = style_of(label, w);
        v = (v * (65536u - w) + colour * w + 32768u) >> 16;
    }
    if (picture) {
        uvec4 c = picture_at(o, x, y);
        v = (v * (255u - c.w) + c.xyz * c.w + 127u) / 255u;
    }
    return pack(uvec4(VIEW_BGR != 0 ? v.zyx : v, KEEP_ALPHA != 0 ? s.w : 255u));
}

void main()
{
    uint x = gl_GlobalInvocationID.x * 4, y = gl_GlobalInvocationID.y;
    if (x >= p.view_width || y >= p.view_height)
        return;
    Picture o = load_picture();
    bool picture = shows(o, x, y, 4, 1);
    uvec4 word = uvec4(0), label = uvec4(0);
    if (VIEW == FRAME_VIEW_SIDE) {
        for (uint k = 0; k < 4 && x + k < p.view_width; k++) {
            uint sx = source_x(x + k, p.width);
            word[k] = source[y * p.src_stride + sx];
            label[k] = label_at(sx, y, p.label_stride);
        }
    } else {
        word = source4[(y * p.src_stride + x) / 4];
        if (VIEW != FRAME_VIEW_SOURCE)
            label = unpack(label_map[(y * p.label_stride + x) / 4]);
    }
    for (uint k = 0; k < 4; k++)
        word[k] = blend(word[k], x + k, y, label[k], o, picture);
    uint to = y * p.view_stride + x;
    if (x + 4 <= p.view_width)
        view4[to / 4] = word;
    else
        for (uint k = 0; x + k < p.view_width; k++)
            view[to + k] = word[k];
}
