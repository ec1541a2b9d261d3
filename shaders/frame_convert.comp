// SPDX-License-Identifier: Apache-2.0
// NV12 or I420 -> packed RGBA8, as a decoder does it: chroma bilinear by its site, matrix, rounding, clamping. All in
// whole numbers: chroma in sixteenths, coefficients in 1/65536. An invocation makes four pixels of a row.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "iface.h"

layout(local_size_x = 16, local_size_y = 4) in;
layout(constant_id = 0) const uint INTERLEAVED = 1; // NV12
layout(constant_id = 1) const uint CENTRED_X = 0;   // chroma lies between two columns of luma
layout(constant_id = 2) const uint CENTRED_Y = 1;   // chroma lies between two rows of luma

layout(std430, binding = 0) readonly buffer S { uint source[]; };
layout(std430, binding = 1) writeonly buffer O { uvec4 rgba[]; };
layout(push_constant) uniform PUSH { frame_convert_push p; };

ivec2 chroma(int i, int j)
{
    uint x = uint(clamp(i, 0, int((p.width + 1) / 2) - 1));
    if (INTERLEAVED != 0) {
        uint a = p.cb_offset + uint(j) * p.c_stride + 2u * x;
        uint w = source[a >> 2] >> (8u * (a & 2u));
        return ivec2(w & 255u, w >> 8 & 255u);
    }
    uint b = p.cb_offset + uint(j) * p.c_stride + x, r = p.cr_offset + uint(j) * p.c_stride + x;
    return ivec2(source[b >> 2] >> (8u * (b & 3u)) & 255u, source[r >> 2] >> (8u * (r & 3u)) & 255u);
}

// Rows of chroma around luma row y, and their weights in quarters.
void chroma_rows(int y, out ivec2 row, out ivec2 weight)
{
    int j = y >> 1;
    bool odd = (y & 1) != 0;
    if (CENTRED_Y != 0) {
        row = ivec2(j, odd ? j + 1 : j - 1);
        weight = ivec2(3, 1);
    } else {
        row = ivec2(j, j + 1);
        weight = odd ? ivec2(2) : ivec2(4, 0);
    }
    row = clamp(row, ivec2(0), ivec2((p.height + 1) / 2) - 1);
}

// luma: code; c: Cb and Cr in sixteenths.
uint rgba8(int luma, ivec2 c)
{
    c -= 128 * 16;
    int l = p.y_gain * (luma - p.y_black) * 16 + (1 << 19);
    ivec3 v = ivec3(l + p.cr_red * c.y, l + p.cb_green * c.x + p.cr_green * c.y, l + p.cb_blue * c.x) >> 20;
    uvec3 u = uvec3(clamp(v, ivec3(0), ivec3(255)));
    return u.r | u.g << 8 | u.b << 16 | 0xff000000u;
}

void main()
{
    uvec2 g = gl_GlobalInvocationID.xy;
    if (4 * g.x >= p.width || g.y >= p.height)
        return;
    ivec2 row, weight;
    chroma_rows(int(g.y), row, weight);
    ivec2 c[4]; // columns 2 g.x - 1 to 2 g.x + 2 of chroma, in quarters
    for (int k = 0; k < 4; k++) {
        int i = 2 * int(g.x) - 1 + k;
        c[k] = weight.x * chroma(i, row.x) + weight.y * chroma(i, row.y);
    }
    uint y = source[(p.y_offset + g.y * p.y_stride) / 4 + g.x];
    ivec4 luma = ivec4(uvec4(y, y >> 8, y >> 16, y >> 24) & 255u);
    uvec4 v;
    if (CENTRED_X != 0)
        v = uvec4(rgba8(luma.x, c[0] + 3 * c[1]), rgba8(luma.y, 3 * c[1] + c[2]), rgba8(luma.z, c[1] + 3 * c[2]), rgba8(luma.w, 3 * c[2] + c[3]));
    else
        v = uvec4(rgba8(luma.x, 4 * c[1]), rgba8(luma.y, 2 * (c[1] + c[2])), rgba8(luma.z, 4 * c[2]), rgba8(luma.w, 2 * (c[2] + c[3])));
    rgba[g.y * (p.out_stride / 4) + g.x] = v;
}
