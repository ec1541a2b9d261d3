#version 450
// SPDX-License-Identifier: Apache-2.0
// Layer norm over the channels of a pixel: LANES invocations share a pixel and hold its channels in registers, so it is
// read once; the variance is taken about the true mean (two passes over the registers). A residual is added last.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128;
layout(constant_id = 1) const uint LANES = 16; // divides WG
layout(constant_id = 2) const uint QUADS = 4;  // of an invocation: LANES * QUADS quads cover a pixel
layout(constant_id = 3) const uint RESIDUAL = 0;

layout(push_constant) uniform Push { layer_norm_push p; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer P { vec4 param[]; }; // weight [nq], bias [nq], float32
layout(std430, binding = 2) readonly buffer R { QUAD r[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

shared float part[2][WG];

// Sum of v over the LANES invocations of the pixel.
float total(uint which, float v)
{
    uint id = gl_LocalInvocationIndex, first = id / LANES * LANES;
    part[which][id] = v;
    barrier();
    float sum = 0;
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
    uint m = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * (WG / LANES) + gl_LocalInvocationIndex / LANES;
    uint source = min(m, p.m - 1) * p.x_stride + p.x_offset;
    vec4 v[QUADS], sum = vec4(0), square = vec4(0);
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint q = lane + i * LANES;
        v[i] = load_quad(x[source + min(q, p.cq - 1)]) * exists(q);
        sum += v[i];
    }
    float mean = total(0, dot(sum, vec4(1))) / float(p.c);
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        v[i] = (v[i] - mean) * exists(lane + i * LANES);
        square += v[i] * v[i];
    }
    float scale = inversesqrt(total(1, dot(square, vec4(1))) / float(p.c) + p.eps);
    if (m >= p.m)
        return;
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint q = lane + i * LANES;
        if (q >= p.nq)
            continue;
        vec4 result = v[i] * scale * param[q] + param[p.nq + q];
        if (RESIDUAL != 0 && q < p.cq)
            result += load_quad(r[m * p.r_stride + p.r_offset + q]);
        y[m * p.y_stride + p.y_offset + q] = store_quad(result);
    }
}
