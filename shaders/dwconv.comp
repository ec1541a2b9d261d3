#version 450
// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution of odd size, padded by half its size: an invocation makes a block of ROWS x STRIP pixels of one
// quad of channels, so that neighbours in x and y share their loads. Neighbouring invocations take neighbouring quads.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128;
layout(constant_id = 1) const uint KERNEL = 3;
layout(constant_id = 2) const uint STRIP = 4;
layout(constant_id = 3) const uint ROWS = 1;
layout(constant_id = 4) const uint ACT = ACT_NONE;
layout(constant_id = 5) const uint RESIDUAL = 0;
const uint SPAN = STRIP + KERNEL - 1; // input pixels under a strip

layout(push_constant) uniform Push { dwconv_push p; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer W { QUAD w[]; }; // [tap][cq], then float32 bias [cq]
layout(std430, binding = 2) readonly buffer R { QUAD r[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

vec4 bias(uint q)
{
#ifdef F16
    return uintBitsToFloat(uvec4(w[p.params + 2 * q], w[p.params + 2 * q + 1]));
#else
    return w[p.params + q];
#endif
}

vec4 fetch(int px, int py, uint q)
{
    ivec2 at = ivec2(px, py), inside = clamp(at, ivec2(0), ivec2(p.w, p.h) - 1);
    vec4 v = load_quad(x[(uint(inside.y) * p.w + uint(inside.x)) * p.x_stride + p.x_offset + q]);
    return at == inside ? v : vec4(0);
}

void finish(uint px, uint py, uint q, vec4 v)
{
    if (px >= p.w || py >= p.h)
        return;
    uint pixel = py * p.w + px;
    v = activate(v, ACT);
    if (RESIDUAL != 0 && q < p.cq)
        v += load_quad(r[pixel * p.r_stride + p.r_offset + q]);
    y[pixel * p.y_stride + p.y_offset + q] = store_quad(v);
}

vec4 acc[ROWS * STRIP];

void convolve(int x0, int y0, uint q)
{
    vec4 tap[KERNEL * KERNEL];
    [[unroll]] for (uint i = 0; i < KERNEL * KERNEL; i++)
        tap[i] = load_quad(w[i * p.cq + q]);
    [[unroll]] for (uint i = 0; i < ROWS + KERNEL - 1; i++) {
        vec4 row[SPAN];
        [[unroll]] for (uint j = 0; j < SPAN; j++)
            row[j] = fetch(x0 + int(j) - int(KERNEL / 2), y0 + int(i) - int(KERNEL / 2), q);
        // Input row i is kernel row i - k of output row k.
        [[unroll]] for (uint k = 0; k < ROWS; k++)
            if (i >= k && i - k < KERNEL)
                [[unroll]] for (uint j = 0; j < STRIP; j++)
                    [[unroll]] for (uint kx = 0; kx < KERNEL; kx++)
                        acc[k * STRIP + j] = fma(row[j + kx], tap[(i - k) * KERNEL + kx], acc[k * STRIP + j]);
    }
}

void main()
{
    uint id = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * WG + gl_LocalInvocationIndex;
    if (id >= p.total)
        return;
    uint q = id % p.nq, tile = id / p.nq;
    uint x0 = tile % p.tiles * STRIP, y0 = tile / p.tiles * ROWS;
    vec4 start = q < p.cq ? bias(q) : vec4(0);
    [[unroll]] for (uint i = 0; i < ROWS * STRIP; i++)
        acc[i] = start;
    if (q < p.cq)
        convolve(int(x0), int(y0), q);
    [[unroll]] for (uint k = 0; k < ROWS; k++)
        [[unroll]] for (uint j = 0; j < STRIP; j++)
            finish(x0 + j, y0 + k, q, acc[k * STRIP + j]);
}
