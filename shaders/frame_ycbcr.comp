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

// Bytes of the four pixels from x on: in one word, except where the view joins two pictures.
uvec4 labels4(uint x, uint y)
{
    if (VIEW != FRAME_VIEW_SIDE)
        return unpack(label_map[(y * p.label_stride + x) / 4]);
    uvec4 v;
    for (uint k = 0; k < 4; k++)
        v[k] = x + k < p.view_width ? label_at(source_x(x + k, p.width), y, p.label_stride) : 0;
    return v;
}

uvec4 luma4(uint x, uint y)
{
    uint row = p.y_offset + y * p.y_stride;
    if (VIEW == FRAME_VIEW_MASK)
        return uvec4(p.black & 255u);
    if (VIEW != FRAME_VIEW_SIDE)
        return unpack(source[(row + x) / 4]);
    uvec4 v;
    for (uint k = 0; k < 4; k++)
        v[k] = x + k < p.view_width ? source_byte(row + source_x(x + k, p.width)) : 0;
    return v;
}

// Cb and Cr of a pixel of the frame.
uvec2 chroma_at(uint sx, uint j)
{
    uint row = j * p.c_stride, i = sx >> 1;
    if (INTERLEAVED == 0)
        return uvec2(source_byte(p.cb_offset + row + i), source_byte(p.cr_offset + row + i));
    uint a = p.cb_offset + row + 2 * i;
    uint w = source[a >> 2] >> (8u * (a & 2u));
    return uvec2(w, w >> 8) & 255u;
}

// Cb and Cr of the four samples from i on, as the pixels 2 i + dx of the view have them.
void chroma4(uint i, uint j, uint dx, out uvec4 cb, out uvec4 cr)
{
    if (VIEW == FRAME_VIEW_MASK) {
        cb = uvec4(p.black >> 8 & 255u);
        cr = uvec4(p.black >> 16 & 255u);
    } else if (VIEW == FRAME_VIEW_SIDE) {
        for (uint k = 0; k < 4; k++) {
            uint x = 2 * (i + k) + dx;
            uvec2 c = x < p.view_width ? chroma_at(source_x(x, p.width), j) : uvec2(0);
            cb[k] = c.x;
            cr[k] = c.y;
        }
    } else if (INTERLEAVED != 0) {
        uint at = (p.cb_offset + j * p.c_stride + 2 * i) / 4; // rows are whole multiples of 64 bytes
        uvec4 a = unpack(source[at]), b = unpack(source[at + 1]);
        cb = uvec4(a.xz, b.xz);
        cr = uvec4(a.yw, b.yw);
    } else {
        cb = unpack(source[(p.cb_offset + j * p.c_stride + i) / 4]);
        cr = unpack(source[(p.cr_offset + j * p.c_stride + i) / 4]);
    }
}

void main_luma(uint x, uint y)
{
    if (x >= p.view_width || y >= p.view_height)
        return;
    uvec4 v = luma4(x, y);
    if (VIEW != FRAME_VIEW_SOURCE) {
        uvec4 label = labels4(x, y);
        for (uint k = 0; k < 4; k++) {
            uint w, colour = style_of(label[k], w).x;
            v[k] = masked(x + k, p.width) ? (v[k] * (65536u - w) + colour * w + 32768u) >> 16 : v[k];
        }
    }
    Picture o = load_picture();
    if (shows(o, x, y, 4, 1))
        for (uint k = 0; k < 4; k++) {
            uvec4 c = picture_at(o, x + k, y);
            v[k] = (v[k] * (255u - c.w) + c.x * c.w + 127u) / 255u;
        }
    v *= uvec4(lessThan(x + uvec4(0, 1, 2, 3), uvec4(p.view_width)));
    view[(p.view_y_offset + y * p.view_y_stride + x) / 4] = pack(v);
}

// Sums of four samples over the pixels that they cover.
struct Sums {
    uvec4 cb, cr, n;
};

// Adds the pixels 2 i + dx of row y, masked.
void add_masked(uint i, uint y, uint dx, uvec4 label, uvec4 cb, uvec4 cr, inout Sums s)
{
    for (uint k = 0; k < 4; k++) {
        uint x = 2 * (i + k) + dx, w = 0;
        uvec3 colour = uvec3(0);
        if (x >= p.view_width)
            continue;
        if (VIEW != FRAME_VIEW_SOURCE)
            colour = style_of(label[k], w);
        if (!masked(x, p.width))
            w = 0;
        s.cb[k] += cb[k] * (65536u - w) + colour.y * w;
        s.cr[k] += cr[k] * (65536u - w) + colour.z * w;
        s.n[k]++;
    }
}

// The overlay picture's mean over the covered pixels, and how much it hides.
void add_picture(Picture o, uint i, uint j, uvec4 n, inout uvec4 cb, inout uvec4 cr)
{
    for (uint k = 0; k < 4; k++) {
        uvec2 sum = uvec2(0);
        uint alpha = 0;
        for (uint d = 0; d < 4; d++) {
            uvec4 c = picture_at(o, 2 * (i + k) + (d & 1u), 2 * j + (d >> 1));
            sum += c.yz * c.w;
            alpha += c.w;
        }
        uint whole = max(255u * n[k], 1u);
        cb[k] = (cb[k] * (whole - alpha) + sum.x + whole / 2u) / whole;
        cr[k] = (cr[k] * (whole - alpha) + sum.y + whole / 2u) / whole;
    }
}

void main_chroma(uint i, uint j)
{
    uint columns = (p.view_width + 1) / 2, rows = (p.view_height + 1) / 2;
    if (i >= columns || j >= rows)
        return;
    Sums s = Sums(uvec4(0), uvec4(0), uvec4(0));
    uvec4 cb[2], cr[2];
    chroma4(i, j, 0, cb[0], cr[0]);
    if (VIEW == FRAME_VIEW_SIDE) {
        chroma4(i, j, 1, cb[1], cr[1]);
    } else {
        cb[1] = cb[0];
        cr[1] = cr[0];
    }
    for (uint y = 2 * j; y < min(2 * j + 2, p.view_height); y++) {
        uvec4 a = uvec4(0), b = uvec4(0);
        if (VIEW != FRAME_VIEW_SOURCE) {
            a = labels4(2 * i, y);
            b = 2 * i + 4 < p.view_width ? labels4(2 * i + 4, y) : uvec4(0);
        }
        add_masked(i, y, 0, uvec4(a.xz, b.xz), cb[0], cr[0], s);
        add_masked(i, y, 1, uvec4(a.yw, b.yw), cb[1], cr[1], s);
    }
    uvec4 n = max(s.n, uvec4(1)) * 65536u;
    uvec4 u = (s.cb + n / 2u) / n, v = (s.cr + n / 2u) / n;
    Picture o = load_picture();
    if (shows(o, 2 * i, 2 * j, 8, 2))
        add_picture(o, i, j, s.n, u, v);
    if (INTERLEAVED != 0) {
        uint to = (p.view_cb_offset + j * p.view_c_stride + 2 * i) / 4;
        view[to] = pack(uvec4(u.x, v.x, u.y, v.y));
        if (i + 2 < columns)
            view[to + 1] = pack(uvec4(u.z, v.z, u.w, v.w));
    } else {
        view[(p.view_cb_offset + j * p.view_c_stride + i) / 4] = pack(u);
        view[(p.view_cr_offset + j * p.view_c_stride + i) / 4] = pack(v);
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
