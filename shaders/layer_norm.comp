#version 450
// SPDX-License-Identifier: Apache-2.0
// Layer norm over the channels of a pixel: LANES invocations share STRIP pixels and hold their channels in registers, so that they
// are read once. A residual is added last.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SHUFFLE
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128;
layout(constant_id = 1) const uint LANES = 16;  // divides WG
layout(constant_id = 2) const uint QUADS = 1;   // of an invocation: LANES * QUADS quads cover a pixel
layout(constant_id = 3) const uint CLUSTER = 1; // invocations
layout(constant_id = 4) const uint STRIP = 2;   // pixels
layout(constant_id = 5) const uint NQ = 16;     // quads of an output pixel to write
layout(constant_id = 6) const uint C = 64;      // channels
layout(constant_id = 7) const uint RESIDUAL = 0;
#include "norm.glsl"

layout(push_constant) uniform Push { layer_norm_push p; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer P { vec4 param[]; }; // weight [NQ], bias [NQ], float32
layout(std430, binding = 2) readonly buffer R { QUAD r[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

void main()
{
    uint lane = INVOCATION % LANES;
    uint first = ((gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * (WG / LANES) + INVOCATION / LANES) * STRIP;
    vec4 v[QUADS][STRIP], residual[QUADS][STRIP], weight[QUADS], bias[QUADS];
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint q = min(lane + i * LANES, NQ - 1);
        weight[i] = param[q];
        bias[i] = param[NQ + q];
    }
    [[unroll]] for (uint s = 0; s < STRIP; s++) {
        uint m = min(first + s, p.m - 1), source = m * p.x_stride + p.x_offset;
        start(s, load_quad(x[source]).x);
        [[unroll]] for (uint i = 0; i < QUADS; i++) {
            uint q = lane + i * LANES, inside = min(q, CQ - 1);
            v[i][s] = load_quad(x[source + inside]);
            residual[i][s] = RESIDUAL != 0 ? load_quad(r[m * p.r_stride + p.r_offset + inside]) : vec4(0);
            add(s, q, v[i][s]);
        }
    }
    normalise(p.eps);
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint q = lane + i * LANES;
        if (q >= NQ)
            return;
        [[unroll]] for (uint s = 0; s < STRIP; s++) {
            if (first + s >= p.m)
                break;
            vec4 result = (v[i][s] - norm[s].x) * norm[s].y * weight[i] + bias[i];
            if (RESIDUAL != 0 && (NQ == CQ || q < CQ))
                result += residual[i][s];
            y[(first + s) * p.y_stride + p.y_offset + q] = store_quad(result);
        }
    }
}
