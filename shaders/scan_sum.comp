// SPDX-License-Identifier: Apache-2.0
// Selective scan in chunks, last pass (after scan_chunks and scan_carry): the sum of the four directions, each with what the start of
// its chunk adds. A layer norm and a residual may follow. LANES invocations share a pixel and hold its channels in registers.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128;
layout(constant_id = 1) const uint LANES = 16; // divides WG
layout(constant_id = 2) const uint EACH = 1;   // quads of an invocation: LANES * EACH cover a pixel
layout(constant_id = 3) const uint CHUNK = 16;
layout(constant_id = 4) const bool NORM = false;
layout(constant_id = 5) const bool RESIDUAL = false;

layout(push_constant) uniform PUSH { scan_sum_push push; };
layout(std430, binding = 0) readonly buffer TERMS { QUAD terms[]; };   // (pixels, rows or columns, 3, quads)
layout(std430, binding = 1) readonly buffer STATES { vec4 states[]; }; // (4, chunks, quads, 2): of these the states
layout(std430, binding = 2) readonly buffer PARAMETERS { vec4 parameter[]; }; // layer norm: weight, bias (nq)
layout(std430, binding = 3) readonly buffer R { QUAD r[]; };
layout(std430, binding = 4) writeonly buffer Y { QUAD y[]; };

shared float part[2][WG];

// Sum of v over the LANES invocations of the pixel.
float total(uint which, float v)
{
    uint id = gl_LocalInvocationIndex, start = id / LANES * LANES;
    part[which][id] = v;
    barrier();
    float sum = 0.0;
    for (uint i = 0; i < LANES; i++)
        sum += part[which][start + i];
    return sum;
}

// 1 for the channels of quad q that exist, 0 for padding.
vec4 exists(uint q)
{
    return vec4(lessThan(uvec4(4 * q) + uvec4(0, 1, 2, 3), uvec4(push.c)));
}

// The states that the pixel's chunks start with lie here, by sequence: rows, rows reversed, columns, columns reversed.
uvec4 find_states(uint pixel)
{
    uint row = pixel / CHUNK, column = (pixel % push.w * push.h + pixel / push.w) / CHUNK, last = push.chunks - 1;
    return (uvec4(row, last - row, column, last - column) + uvec4(0, 1, 2, 3) * push.chunks) * push.quads;
}

vec4 sum_up(uint pixel, uvec4 start, uint q)
{
    vec4 sum = vec4(0.0);
    [[unroll]] for (uint i = 0; i < 2; i++) {
        uint at = (pixel * 2 + i) * 3 * push.quads + q;
        vec4 forth = states[(start[2 * i] + q) * 2 + 1], back = states[(start[2 * i + 1] + q) * 2 + 1];
        sum += load_quad(terms[at]) + load_quad(terms[at + push.quads]) * forth + load_quad(terms[at + 2 * push.quads]) * back;
    }
    return sum;
}

void main()
{
    uint lane = gl_LocalInvocationIndex % LANES;
    uint m = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * (WG / LANES) + gl_LocalInvocationIndex / LANES;
    uint pixel = min(m, push.pixels - 1);
    uvec4 start = find_states(pixel);
    vec4 v[EACH], weight[EACH], bias[EACH], residual[EACH];
    [[unroll]] for (uint i = 0; i < EACH; i++) {
        uint q = min(lane + i * LANES, push.quads - 1);
        weight[i] = NORM ? parameter[q] : vec4(1.0);
        bias[i] = NORM ? parameter[push.nq + q] : vec4(0.0);
        residual[i] = RESIDUAL ? load_quad(r[pixel * push.r_stride + push.r_offset + q]) : vec4(0.0);
    }
    float sum = 0.0, square = 0.0;
    [[unroll]] for (uint i = 0; i < EACH; i++) {
        uint q = lane + i * LANES;
        v[i] = sum_up(pixel, start, min(q, push.quads - 1)) * exists(q);
        sum += dot(v[i], vec4(1.0));
    }
    if (NORM) {
        float mean = total(0, sum) / float(push.c);
        [[unroll]] for (uint i = 0; i < EACH; i++) {
            v[i] = (v[i] - mean) * exists(lane + i * LANES);
            square += dot(v[i], v[i]);
        }
        float scale = inversesqrt(total(1, square) / float(push.c) + push.eps);
        [[unroll]] for (uint i = 0; i < EACH; i++)
            v[i] = v[i] * scale * weight[i] + bias[i];
    }
    if (m >= push.pixels)
        return;
    [[unroll]] for (uint i = 0; i < EACH; i++) {
        uint q = lane + i * LANES;
        if (q < push.nq)
            y[m * push.y_stride + push.y_offset + q] = store_quad(q < push.quads ? v[i] + residual[i] : vec4(0.0));
    }
}
