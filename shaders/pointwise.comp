#version 450
// SPDX-License-Identifier: Apache-2.0
// What the fuser could not fold into another op: y = act(x * scale + shift), or y = x + r. An invocation makes a quad.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128;
layout(constant_id = 1) const uint AFFINE = 0;
layout(constant_id = 2) const uint ACT = ACT_NONE;
layout(constant_id = 3) const uint ADD = 0;

layout(push_constant) uniform Push { pointwise_push p; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer P { vec4 param[]; }; // scale [nq], shift [nq], float32
layout(std430, binding = 2) readonly buffer R { QUAD r[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

void main()
{
    uint id = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * WG + gl_LocalInvocationIndex;
    if (id >= p.total)
        return;
    uint q = id % p.nq, pixel = id / p.nq;
    vec4 v = vec4(0);
    if (q < p.cq) {
        v = load_quad(x[pixel * p.x_stride + p.x_offset + q]);
        if (AFFINE != 0)
            v = v * param[q] + param[p.nq + q];
        v = activate(v, ACT);
        if (ADD != 0)
            v += load_quad(r[pixel * p.r_stride + p.r_offset + q]);
    }
    y[pixel * p.y_stride + p.y_offset + q] = store_quad(v);
}
