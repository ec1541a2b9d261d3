#version 450
// SPDX-License-Identifier: Apache-2.0
// Dense convolution for CPU drivers: no shared memory, no barriers. A subgroup is the vector of the processor: each
// lane makes TM pixels x TN quads of channels. A load costs far more than an addition there and is paid for each
// lane, so the lanes load different weights and tell each other; a shuffle by a constant is one instruction, where a
// broadcast is a loop (llvmpipe 22.3). Drivers translate a pipeline at its first use, on one core, and for seconds where it is large:
// sizes come in push constants, constants say only what costs time for every channel, and the epilogue is a loop.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 8; // invocations: one whole subgroup
layout(constant_id = 2) const uint TM = 4; // pixels of an invocation
layout(constant_id = 3) const uint TN = 8; // quads of channels of an invocation: a multiple of WG / 4
#include "conv.glsl"

const uint NB = 4 * TN / WG; // quads of W that a lane loads for a quad of k

uint lane = gl_SubgroupInvocationID;
vec4 acc[TM * TN];
uint address[TM]; // of the input's pixels that are multiplied next
bool valid[TM];

uint pixel(uint i)
{
    return gl_WorkGroupID.y * WG * TM + i * WG + lane;
}

// Row and column of each pixel; beyond the map rows go on.
void find_pixels(out uvec2 at[TM])
{
    uint m = pixel(0);
    at[0].x = m / p.out_w;
    at[0].y = m - at[0].x * p.out_w;
    [[unroll]] for (uint i = 1; i < TM; i++) {
        at[i] = at[i - 1] + uvec2(p.run_rows, p.run_pixels);
        at[i] += at[i].y >= p.out_w ? uvec2(1, -p.out_w) : uvec2(0);
    }
}

// k: quad of k; c: of the input's pixels.
void multiply(uint k, uint c)
{
    uint n0 = gl_WorkGroupID.x * TN;
    vec4 a[TM], b[NB];
    [[unroll]] for (uint i = 0; i < TM; i++) {
        a[i] = load_quad(x[address[i] + c]);
        if (!LINEAR)
            a[i] = valid[i] ? a[i] : vec4(0);
    }
    [[unroll]] for (uint i = 0; i < NB; i++)
        b[i] = load_quad(w[(4 * k + (i * WG + lane) / TN) * p.nq + n0 + (i * WG + lane) % TN]);
    [[unroll]] for (uint j = 0; j < 4; j++)
        [[unroll]] for (uint n = 0; n < TN; n++) {
            vec4 v = subgroupShuffle(b[(j * TN + n) / WG], (j * TN + n) % WG);
            [[unroll]] for (uint i = 0; i < TM; i++)
                acc[i * TN + n] = fma(vec4(a[i][j]), v, acc[i * TN + n]);
        }
}

void multiply_window(const uvec2 at[TM])
{
    uint k = 0;
    for (uint ky = 0; ky < p.kernel; ky++)
        for (uint kx = 0; kx < p.kernel; kx++) {
            [[unroll]] for (uint i = 0; i < TM; i++) {
                ivec2 q = ivec2(at[i] * p.stride + uvec2(ky, kx)) - int(p.pad), inside = clamp(q, ivec2(0), ivec2(p.in_h, p.in_w) - 1);
                valid[i] = q == inside;
                address[i] = (uint(inside.x) * p.in_w + uint(inside.y)) * p.x_stride + p.x_offset;
            }
            for (uint c = 0; c < p.cq; c++)
                multiply(k++, c);
        }
}

// Cosine and sine of pair t of a head: turn() of conv.glsl.
vec2 turn_of(uint t, uvec2 at)
{
    bool by_row = t < p.rope;
    return turn_at((by_row ? min(at.x, p.in_h - 1) : at.y) * p.rope + (by_row ? t : t - p.rope));
}

// A quad of channels of each pixel at a time, in a loop: its sums come to the front. t: first pair of the quad in its head.
void store(const uvec2 at[TM])
{
    uint n = gl_WorkGroupID.x * TN, t = ROPE != 0 ? 2 * (n % p.rope) : 0;
    [[dont_unroll]] for (uint end = n + TN; n < end; n++) {
        vec4 bias = param(n);
        [[unroll]] for (uint i = 0; i < TM; i++) {
            vec4 v = acc[i * TN] + bias;
            if (ROPE != 0 && n < 2 * p.turn_quads)
                v = vec4(rotate(v.xy, turn_of(t, at[i])), rotate(v.zw, turn_of(t + 1, at[i])));
            if (pixel(i) < p.m && n < p.n_store)
                y[pixel(i) * p.y_stride + p.y_offset + n] = finished_turned(n, v, residual(pixel(i), n), true);
            [[unroll]] for (uint j = 0; j + 1 < TN; j++)
                acc[i * TN + j] = acc[i * TN + j + 1];
        }
        t = t + 2 < 2 * p.rope ? t + 2 : 0;
    }
}

void main()
{
    uvec2 at[TM];
    if (!LINEAR || ROPE != 0)
        find_pixels(at);
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        acc[i] = vec4(0);
    if (LINEAR) {
        [[unroll]] for (uint i = 0; i < TM; i++)
            address[i] = min(pixel(i), p.m - 1) * p.x_stride + p.x_offset;
        for (uint c = 0; c < p.cq; c++)
            multiply(c, c);
    } else {
        multiply_window(at);
    }
    store(at);
}
