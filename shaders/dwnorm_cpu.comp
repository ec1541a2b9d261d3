#version 450
// SPDX-License-Identifier: Apache-2.0
// dwnorm.comp for CPU drivers: no shared memory, no barriers, and one small loop over the channels, whose number is no constant:
// drivers translate it at its first use, on one core. A subgroup is the vector of the processor: each lane makes STRIP
// neighbouring pixels, all their channels. The lanes load different weights and tell each other (conv_cpu.comp says why).
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 8; // invocations: one whole subgroup
layout(constant_id = 1) const uint STRIP = 4; // pixels
layout(constant_id = 2) const uint KERNEL = 3;
const uint SPAN = STRIP + KERNEL - 1, HALF = KERNEL / 2, TAPS = KERNEL * KERNEL;
const uint LOADS = (TAPS + 1 + WG - 1) / WG; // of a lane: taps and bias

layout(push_constant) uniform Push { dwnorm_push p; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer W { vec4 w[]; }; // as in dwnorm.comp
layout(std430, binding = 2) buffer T { QUAD t[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

uint row[KERNEL], column[SPAN]; // of the input, in quads
bool row_inside[KERNEL], column_inside[SPAN];

// Row i of the weights, quad q; the same in all lanes: lane i % WG has it in its i / WG-th load.
vec4 weight[LOADS];

void load_weights(uint q)
{
    [[unroll]] for (uint i = 0; i < LOADS; i++)
        weight[i] = w[min(i * WG + gl_SubgroupInvocationID, TAPS) * p.nq + q];
}

void find_pixels(uint px, uint py)
{
    [[unroll]] for (uint i = 0; i < KERNEL; i++) {
        int at = int(py + i) - int(HALF), inside = clamp(at, 0, int(p.h) - 1);
        row[i] = uint(inside) * p.w * p.x_stride + p.x_offset;
        row_inside[i] = at == inside;
    }
    [[unroll]] for (uint i = 0; i < SPAN; i++) {
        int at = int(px + i) - int(HALF), inside = clamp(at, 0, int(p.w) - 1);
        column[i] = uint(inside) * p.x_stride;
        column_inside[i] = at == inside;
    }
}

// Depthwise convolution with the pixel itself.
void convolve(uint q, out vec4 v[STRIP])
{
    uint from = min(q, p.cq - 1);
    load_weights(q);
    [[unroll]] for (uint s = 0; s < STRIP; s++)
        v[s] = subgroupShuffle(weight[TAPS / WG], TAPS % WG);
    [[unroll]] for (uint ky = 0; ky < KERNEL; ky++)
        [[unroll]] for (uint j = 0; j < SPAN; j++) {
            vec4 tap = load_quad(x[row[ky] + column[j] + from]);
            tap = row_inside[ky] && column_inside[j] ? tap : vec4(0);
            [[unroll]] for (uint s = 0; s < STRIP; s++)
                if (j >= s && j - s < KERNEL) {
                    uint i = ky * KERNEL + j - s;
                    v[s] = fma(tap, subgroupShuffle(weight[i / WG], i % WG), v[s]);
                }
        }
}

// 1 for the channels of quad q that exist, 0 for padding.
vec4 exists(uint q)
{
    return vec4(lessThan(uvec4(4 * q) + uvec4(0, 1, 2, 3), uvec4(p.c)));
}

void main()
{
    uint strips = (p.w + STRIP - 1) / STRIP, id = gl_WorkGroupID.x * WG + gl_SubgroupInvocationID;
    uint px = id % strips * STRIP, py = min(id / strips, p.h - 1), stored = id < strips * p.h ? min(STRIP, p.w - px) : 0;
    uint to = (py * p.w + px) * p.nq;
    find_pixels(px, py);
    float pivot[STRIP]; // a number near the channels: norm.glsl
    vec2 norm[STRIP];
    [[unroll]] for (uint s = 0; s < STRIP; s++) {
        pivot[s] = load_quad(x[row[HALF] + column[s + HALF]]).x;
        norm[s] = vec2(0);
    }
    for (uint q = 0; q < p.nq; q++) {
        vec4 v[STRIP], one = exists(q);
        convolve(q, v);
        [[unroll]] for (uint s = 0; s < STRIP; s++) {
            vec4 d = (v[s] - pivot[s]) * one;
            norm[s] += vec2(d.x + d.y + d.z + d.w, dot(d, d));
            if (s < stored)
                t[to + s * p.nq + q] = store_quad(v[s]);
        }
    }
    [[unroll]] for (uint s = 0; s < STRIP; s++) {
        vec2 m = norm[s] * p.inverse_c;
        norm[s] = vec2(pivot[s] + m.x, inversesqrt(max(m.y - m.x * m.x, 0) + p.eps));
    }
    for (uint q = 0; q < p.nq; q++) {
        vec4 both = w[(TAPS + 1 + gl_SubgroupInvocationID % 2) * p.nq + q];
        vec4 scale = subgroupShuffle(both, 0), shift = subgroupShuffle(both, 1);
        [[unroll]] for (uint s = 0; s < STRIP; s++)
            if (s < stored) {
                uint at = to + s * p.nq + q;
                y[at] = store_quad((load_quad(t[at]) - norm[s].x) * norm[s].y * scale + shift);
            }
    }
}
