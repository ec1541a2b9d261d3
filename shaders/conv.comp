#version 450
// SPDX-License-Identifier: Apache-2.0
// Dense convolution, tiled through shared memory: a workgroup makes BM pixels x BN quads of channels, an invocation
// TM x TN of them in registers. The next tile is on its way from memory while the current one is multiplied.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128; // invocations
layout(constant_id = 1) const uint LX = 8;   // of them along the channels
layout(constant_id = 2) const uint TM = 8;   // pixels of an invocation
layout(constant_id = 3) const uint TN = 2;   // quads of channels of an invocation
layout(constant_id = 4) const uint BK = 4;   // quads of k in a tile; divides WG
#include "conv.glsl"

const uint LY = WG / LX;
const uint BM = LY * TM;
const uint BN = LX * TN;
const uint NA = BM * BK / WG;     // quads of X that an invocation stages
const uint NB = 4 * BK * BN / WG; // quads of W that an invocation stages

shared vec4 tile_x[BM * BK];     // [pixel][quad of k]
shared vec4 tile_w[4 * BK * BN]; // [k][quad of n]

// Where this invocation stages from: quad c of the tap (kx, ky). A tap past the kernel reads zeros.
struct cursor {
    uint c;
    ivec2 tap;
};

void advance(inout cursor at, uint quads)
{
    at.c += quads;
    if (LINEAR)
        return;
    while (at.c >= p.cq && at.tap.y < int(KERNEL)) {
        at.c -= p.cq;
        at.tap.x++;
        if (at.tap.x == int(KERNEL))
            at.tap = ivec2(0, at.tap.y + 1);
    }
}

QUAD fetch_x(ivec2 origin, cursor at)
{
    if (LINEAR)
        return at.c < p.kq ? x[uint(origin.x) * p.x_stride + p.x_offset + at.c] : QUAD(0);
    ivec2 q = origin + at.tap;
    bool valid = at.tap.y < int(KERNEL);
    if (PADDED != 0)
        valid = valid && all(greaterThanEqual(q, ivec2(0))) && q.x < int(p.in_w) && q.y < int(p.in_h);
    return valid ? x[(uint(q.y) * p.in_w + uint(q.x)) * p.x_stride + p.x_offset + at.c] : QUAD(0);
}

vec4 acc[TM * TN];

void multiply(uint lx, uint ly)
{
    for (uint k = 0; k < BK; k++) {
        vec4 a[TM];
        [[unroll]] for (uint i = 0; i < TM; i++)
            a[i] = tile_x[(ly + i * LY) * BK + k];
        [[unroll]] for (uint j = 0; j < TN; j++) {
            uint at = 4 * k * BN + lx + j * LX;
            vec4 b0 = tile_w[at], b1 = tile_w[at + BN], b2 = tile_w[at + 2 * BN], b3 = tile_w[at + 3 * BN];
            [[unroll]] for (uint i = 0; i < TM; i++) {
                vec4 v = acc[i * TN + j];
                v = fma(a[i].xxxx, b0, v);
                v = fma(a[i].yyyy, b1, v);
                v = fma(a[i].zzzz, b2, v);
                acc[i * TN + j] = fma(a[i].wwww, b3, v);
            }
        }
    }
}

void main()
{
    uint id = gl_LocalInvocationIndex, lx = id % LX, ly = id / LX;
    uint m0 = gl_WorkGroupID.y * BM, n0 = gl_WorkGroupID.x * BN;
    ivec2 origin[NA];
    [[unroll]] for (uint i = 0; i < NA; i++) {
        uint m = m0 + id / BK + i * (WG / BK);
        origin[i] = LINEAR ? ivec2(min(m, p.m - 1), 0) : window(m);
    }
    cursor at = cursor(0, ivec2(0));
    advance(at, id % BK);
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        acc[i] = vec4(0);

    QUAD next_x[NA], next_w[NB];
    for (uint k = 0;;) {
        // W has rows of zeros up to a whole tile of k, so only X needs a check.
        if (k < p.kq) {
            [[unroll]] for (uint i = 0; i < NA; i++)
                next_x[i] = fetch_x(origin[i], at);
            [[unroll]] for (uint i = 0; i < NB; i++)
                next_w[i] = w[(4 * k + (id + i * WG) / BN) * p.nq + n0 + (id + i * WG) % BN];
            advance(at, BK);
        }
        if (k > 0) {
            multiply(lx, ly);
            barrier();
        }
        if (k >= p.kq)
            break;
        [[unroll]] for (uint i = 0; i < NA; i++)
            tile_x[id + i * WG] = load_quad(next_x[i]);
        [[unroll]] for (uint i = 0; i < NB; i++)
            tile_w[id + i * WG] = load_quad(next_w[i]);
        barrier();
        k += BK;
    }

    [[unroll]] for (uint i = 0; i < TM; i++)
        [[unroll]] for (uint j = 0; j < TN; j++)
            epilogue(m0 + ly + i * LY, n0 + lx + j * LX, acc[i * TN + j]);
}
