#version 450
// SPDX-License-Identifier: Apache-2.0
// Conditional position encoding and the layer norm after it in one pass: t = x + depthwise(x), y = norm(t). LANES
// invocations share STRIP neighbouring pixels and hold their channels in registers; t and y are both written.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128;
layout(constant_id = 1) const uint LANES = 16; // divides WG
layout(constant_id = 2) const uint QUADS = 4;  // of an invocation: LANES * QUADS quads cover a pixel
layout(constant_id = 3) const uint STRIP = 2;  // pixels, at most 4
layout(constant_id = 4) const uint KERNEL = 3;
const uint SPAN = STRIP + KERNEL - 1;

layout(push_constant) uniform Push { dwnorm_push p; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer W { QUAD w[]; }; // [tap][nq], then float32 bias, norm weight, norm bias [nq]
layout(std430, binding = 2) writeonly buffer T { QUAD t[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

shared vec4 part[2][WG];

vec4 parameter(uint which, uint q)
{
    uint at = p.params + (which * p.nq + q) * (4 * 4 / QUAD_BYTES);
#ifdef F16
    return uintBitsToFloat(uvec4(w[at], w[at + 1]));
#else
    return w[at];
#endif
}

vec4 fetch(int px, int py, uint q)
{
    ivec2 at = ivec2(px, py), inside = clamp(at, ivec2(0), ivec2(p.w, p.h) - 1);
    vec4 v = load_quad(x[(uint(inside.y) * p.w + uint(inside.x)) * p.x_stride + p.x_offset + q]);
    return at == inside ? v : vec4(0);
}

vec4 v[QUADS][STRIP];

// Depthwise convolution plus the pixel itself, for one quad of the strip.
void convolve(uint i, uint q, int x0, int y0)
{
    [[unroll]] for (uint s = 0; s < STRIP; s++)
        v[i][s] = parameter(0, q);
    [[unroll]] for (uint ky = 0; ky < KERNEL; ky++) {
        vec4 row[SPAN];
        [[unroll]] for (uint j = 0; j < SPAN; j++)
            row[j] = fetch(x0 + int(j) - int(KERNEL / 2), y0 + int(ky) - int(KERNEL / 2), q);
        [[unroll]] for (uint kx = 0; kx < KERNEL; kx++) {
            vec4 tap = load_quad(w[(ky * KERNEL + kx) * p.nq + q]);
            [[unroll]] for (uint s = 0; s < STRIP; s++)
                v[i][s] = fma(row[s + kx], tap, v[i][s]);
        }
        if (ky == KERNEL / 2)
            [[unroll]] for (uint s = 0; s < STRIP; s++)
                v[i][s] += row[s + KERNEL / 2];
    }
}

// Sums of each pixel's own number over the LANES invocations.
vec4 total(uint which, vec4 sums)
{
    uint id = gl_LocalInvocationIndex, first = id / LANES * LANES;
    part[which][id] = sums;
    barrier();
    vec4 sum = vec4(0);
    for (uint i = 0; i < LANES; i++)
        sum += part[which][first + i];
    return sum;
}

// 1 for the channels of quad q that exist, 0 for padding.
vec4 exists(uint q)
{
    return vec4(lessThan(uvec4(4 * q) + uvec4(0, 1, 2, 3), uvec4(p.c)));
}

void main()
{
    uint lane = gl_LocalInvocationIndex % LANES;
    uint strip = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * (WG / LANES) + gl_LocalInvocationIndex / LANES;
    uint last = p.strips * p.h - 1;
    uint px = min(strip, last) % p.strips * STRIP, py = min(strip, last) / p.strips;
    vec4 sums = vec4(0), squares = vec4(0);
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint q = lane + i * LANES;
        convolve(i, min(q, p.nq - 1), int(px), int(py));
        [[unroll]] for (uint s = 0; s < STRIP; s++) {
            v[i][s] *= exists(q);
            sums[s] += dot(v[i][s], vec4(1));
        }
    }
    vec4 mean = total(0, sums) / float(p.c);
    [[unroll]] for (uint i = 0; i < QUADS; i++)
        [[unroll]] for (uint s = 0; s < STRIP; s++) {
            vec4 d = (v[i][s] - mean[s]) * exists(lane + i * LANES);
            squares[s] += dot(d, d);
        }
    vec4 scale = inversesqrt(total(1, squares) / float(p.c) + p.eps);
    if (strip > last)
        return;
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint q = lane + i * LANES;
        if (q >= p.nq)
            continue;
        vec4 weight = parameter(1, q), bias = parameter(2, q);
        [[unroll]] for (uint s = 0; s < STRIP; s++) {
            if (px + s >= p.w)
                continue;
            uint pixel = py * p.w + px + s;
            t[pixel * p.nq + q] = store_quad(v[i][s]);
            y[pixel * p.nq + q] = store_quad((v[i][s] - mean[s]) * scale[s] * weight * exists(q) + bias);
        }
    }
}
