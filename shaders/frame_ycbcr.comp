// SPDX-License-Identifier: Apache-2.0
// NV12 or I420 + labels + style + overlay picture -> view in the same format, without a way through RGB. A pass makes
// the luma plane (an invocation: one word, four pixels), another one the chroma (an invocation: four samples of Cb and
// Cr, each from the up to four pixels that it covers).
#version 450
#extension GL_GOOGLE_include_directive : require
#include "iface.h"
#include "frame.glsl"

layout(local_size_x = 16, local_size_y = 4) in;
layout(constant_id = 1) const uint CHROMA = 0;
layout(constant_id = 2) const uint INTERLEAVED = 1; // NV12

layout(push_constant) uniform PUSH { frame_ycbcr_push p; };

uint luma(uint x, uint y)
{
    uint sx = source_x(x, p.width);
    uint v = VIEW == FRAME_VIEW_MASK ? p.black & 255u : source_byte(p.y_offset + y * p.y_stride + sx);
    if (masked(x, p.width)) {
        uint label = label_at(sx, y, p.label_stride), w = mask_weight(label);
        v = (v * (65536u - w) + mask_colour(label).x * w + 32768u) >> 16;
    }
    uvec4 o = picture_at(x, y);
    return (v * (255u - o.w) + o.x * o.w + 127u) / 255u;
}

// Cb and Cr of a pixel of the frame.
uvec2 source_chroma(uint sx, uint sy)
{
    uint row = (sy >> 1) * p.c_stride, i = sx >> 1;
    if (VIEW == FRAME_VIEW_MASK)
        return uvec2(p.black >> 8, p.black >> 16) & 255u;
    if (INTERLEAVED == 0)
        return uvec2(source_byte(p.cb_offset + row + i), source_byte(p.cr_offset + row + i));
    uint a = p.cb_offset + row + 2 * i;
    uint w = source[a >> 2] >> (8u * (a & 2u));
    return uvec2(w, w >> 8) & 255u;
}

// Sample i, j of the view's chroma: the mean over its pixels, first of the masked colours, then of the picture's.
uvec2 chroma(uint i, uint j)
{
    uvec2 sum = uvec2(0), picture_sum = uvec2(0);
    uint n = 0, alpha = 0;
    for (uint dx = 0; dx < 2 && 2 * i + dx < p.view_width; dx++) {
        uint x = 2 * i + dx, sx = source_x(x, p.width);
        uvec2 c = source_chroma(sx, 2 * j);
        for (uint dy = 0; dy < 2 && 2 * j + dy < p.view_height; dy++) {
            uint y = 2 * j + dy;
            uint label = masked(x, p.width) ? label_at(sx, y, p.label_stride) : 0;
            uint w = masked(x, p.width) ? mask_weight(label) : 0;
            sum += c * (65536u - w) + mask_colour(label).yz * w;
            uvec4 o = picture_at(x, y);
            picture_sum += o.yz * o.w;
            alpha += o.w;
            n++;
        }
    }
    uvec2 v = (sum + n * 32768u) / (n * 65536u);
    return (v * (255u * n - alpha) + picture_sum + 255u * n / 2u) / (255u * n);
}

void main_luma(uint x, uint y)
{
    if (x >= p.view_width || y >= p.view_height)
        return;
    uvec4 v = uvec4(0);
    for (uint k = 0; k < 4; k++)
        if (x + k < p.view_width)
            v[k] = luma(x + k, y);
    view[(p.view_y_offset + y * p.view_y_stride + x) / 4] = pack(v);
}

void main_chroma(uint i, uint j)
{
    uint columns = (p.view_width + 1) / 2, rows = (p.view_height + 1) / 2;
    if (i >= columns || j >= rows)
        return;
    uvec4 cb = uvec4(0), cr = uvec4(0);
    for (uint k = 0; k < 4; k++) {
        if (i + k >= columns)
            break;
        uvec2 c = chroma(i + k, j);
        cb[k] = c.x;
        cr[k] = c.y;
    }
    if (INTERLEAVED != 0) {
        uint to = (p.view_cb_offset + j * p.view_c_stride + 2 * i) / 4;
        view[to] = pack(uvec4(cb.x, cr.x, cb.y, cr.y));
        if (i + 2 < columns)
            view[to + 1] = pack(uvec4(cb.z, cr.z, cb.w, cr.w));
    } else {
        view[(p.view_cb_offset + j * p.view_c_stride + i) / 4] = pack(cb);
        view[(p.view_cr_offset + j * p.view_c_stride + i) / 4] = pack(cr);
    }
}

void main()
{
    uvec2 g = gl_GlobalInvocationID.xy;
    if (CHROMA != 0)
        main_chroma(4 * g.x, g.y);
    else
        main_luma(4 * g.x, g.y);
}
