#version 450
// SPDX-License-Identifier: Apache-2.0
// Dense convolution on cooperative matrices. A workgroup makes BM pixels x BN channels: its subgroups share them out, and the
// k of every tile too (SG_K), each with FRAGS_M x FRAGS_N matrices of float32 sums. Tiles of X and W pass through shared memory in
// octs (8 halves, 16 bytes), rows padded by one oct against bank conflicts; while one is multiplied the next is on its way.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#pragma use_vulkan_memory_model
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128;     // invocations
layout(constant_id = 1) const uint SG_M = 2;     // subgroups along the pixels,
layout(constant_id = 2) const uint SG_N = 2;     // the channels,
layout(constant_id = 3) const uint SG_K = 1;     // k
layout(constant_id = 4) const uint SHARED = 608; // octs of shared memory
layout(constant_id = 13) const uint FRAGS_M = 2; // matrices of a subgroup
layout(constant_id = 14) const uint FRAGS_N = 2;
layout(constant_id = 15) const uint FRAGS_K = 2;
layout(constant_id = 16) const uint M = 16;      // size of a matrix
layout(constant_id = 17) const uint N = 16;
layout(constant_id = 18) const uint K = 16;
#include "conv.glsl"

layout(std430, binding = 0) restrict readonly buffer X8 { uvec4 x8[]; };
layout(std430, binding = 1) restrict readonly buffer W8 { uvec4 w8[]; }; // [tile of n][k][BN]

const uint BM = SG_M * FRAGS_M * M, BN = SG_N * FRAGS_N * N, BK = SG_K * FRAGS_K * K;
const uint KO = BK / 8;                             // octs of k in a tile; divides WG
const uint STRIDE_X = KO + 1, STRIDE_W = BN / 8 + 1; // octs of a row in shared memory
const uint TILE_X = BM * STRIDE_X;
const uint LOADS_X = BM * KO, LOADS_W = BK * BN / 8;
const uint NX = (LOADS_X + WG - 1) / WG, NW = (LOADS_W + WG - 1) / WG; // octs that an invocation stages
const uint SIZE = WG / (SG_M * SG_N * SG_K);                           // of a subgroup
const uint QUADS = FRAGS_N * N / 4;                                    // of a row of a subgroup's sums
const uint STRIP = M * (QUADS + 1);                                    // shared memory of one row of matrices
const uint LANES = SG_K * SIZE;                                        // that finish a strip
const uint TRIPS = (M * QUADS + LANES - 1) / LANES;

shared uvec4 tile[SHARED];

uint id; // in the order of the subgroups
ivec2 origin[NX];
uvec4 next_x[NX], next_w[NW];
coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> acc[FRAGS_M * FRAGS_N];

// Oct c of the tap `tap` = ky * KERNEL + kx: where this invocation stages from. A tap past the kernel reads zeros.
struct cursor {
    uint c, tap;
};

void advance(inout cursor at, uint octs)
{
    at.c += octs;
    if (LINEAR)
        return;
    uint row = p.cq / 2;
    at.tap += at.c / row;
    at.c %= row;
}

uvec4 fetch_x(ivec2 from, cursor at)
{
    if (LINEAR)
        return at.c < p.kq / 2 ? x8[uint(from.x) + at.c] : uvec4(0);
    ivec2 q = from + ivec2(at.tap % KERNEL, at.tap / KERNEL);
    bool valid = at.tap < KERNEL * KERNEL;
    if (PADDED != 0)
        valid = valid && all(greaterThanEqual(q, ivec2(0))) && q.x < int(p.in_w) && q.y < int(p.in_h);
    return valid ? x8[((uint(q.y) * p.in_w + uint(q.x)) * p.x_stride + p.x_offset) / 2 + at.c] : uvec4(0);
}

// Starts reading tile `step`.
void fetch(uint step, cursor at)
{
    uint from = (gl_WorkGroupID.x * (p.params / p.nq) + step * BK) * (BN / 8);
    [[unroll]] for (uint i = 0; i < NX; i++)
        next_x[i] = fetch_x(origin[i], at);
    [[unroll]] for (uint i = 0; i < NW; i++)
        if (LOADS_W % WG == 0 || id + i * WG < LOADS_W)
            next_w[i] = w8[from + id + i * WG];
}

void stage()
{
    [[unroll]] for (uint i = 0; i < NX; i++) {
        uint e = id + i * WG;
        if (LOADS_X % WG == 0 || e < LOADS_X)
            tile[e / KO * STRIDE_X + e % KO] = next_x[i];
    }
    [[unroll]] for (uint i = 0; i < NW; i++) {
        uint e = id + i * WG;
        if (LOADS_W % WG == 0 || e < LOADS_W)
            tile[TILE_X + e / (BN / 8) * STRIDE_W + e % (BN / 8)] = next_w[i];
    }
}

void multiply(uint sm, uint sn, uint sk)
{
    [[unroll]] for (uint k = 0; k < FRAGS_K; k++) {
        uint row = (sk * FRAGS_K + k) * K;
        coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a[FRAGS_M];
        [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
            coopMatLoad(a[i], tile, (sm * FRAGS_M + i) * M * STRIDE_X + row / 8, STRIDE_X, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint j = 0; j < FRAGS_N; j++) {
            coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> b;
            coopMatLoad(b, tile, TILE_X + row * STRIDE_W + (sn * FRAGS_N + j) * N / 8, STRIDE_W,
                        gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
                acc[i * FRAGS_N + j] = coopMatMulAdd(a[i], b, acc[i * FRAGS_N + j]);
        }
    }
}

// Where a subgroup's part of the workgroup's tile lies, and what finishing it needs from memory.
struct part {
    uint m, n;     // first pixel, first quad
    uint sums;     // of its strip, and those of the subgroups that share it, in shared memory
    uint sk, lane; // among the LANES
};
vec4 bias[TRIPS];
QUAD added[FRAGS_M * TRIPS];

// Reads ahead: by the time that the sums are there, so are these.
void prepare(part at)
{
    [[unroll]] for (uint t = 0; t < TRIPS; t++) {
        uint e = min(at.lane + t * LANES, M * QUADS - 1);
        bias[t] = param(at.n + e % QUADS);
        [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
            added[i * TRIPS + t] = residual(min(at.m + i * M + e / QUADS, p.m - 1), at.n + e % QUADS);
    }
}

// Those who share a strip wait for each other.
void meet()
{
    if (SG_K == 1)
        subgroupBarrier();
    else
        barrier();
}

// The sums go through shared memory, a row of matrices at a time; the subgroups that split k finish one strip together.
void finish(part at)
{
    barrier();
    [[unroll]] for (uint i = 0; i < FRAGS_M; i++) {
        vec4 v[TRIPS];
        if (i > 0)
            meet();
        [[unroll]] for (uint j = 0; j < FRAGS_N; j++)
            coopMatStore(acc[i * FRAGS_N + j], tile, at.sums + at.sk * STRIP + j * N / 4, QUADS + 1, gl_CooperativeMatrixLayoutRowMajor);
        meet();
        [[unroll]] for (uint t = 0; t < TRIPS; t++) {
            uint e = min(at.lane + t * LANES, M * QUADS - 1), from = at.sums + e / QUADS * (QUADS + 1) + e % QUADS;
            v[t] = uintBitsToFloat(tile[from]);
            [[unroll]] for (uint k = 1; k < SG_K; k++)
                v[t] += uintBitsToFloat(tile[from + k * STRIP]);
        }
        QUAD result[TRIPS];
        [[unroll]] for (uint t = 0; t < TRIPS; t++) {
            uint e = at.lane + t * LANES;
            result[t] = finished(min(at.m + i * M + e / QUADS, p.m - 1), at.n + e % QUADS, v[t] + bias[t], added[i * TRIPS + t]);
        }
        [[unroll]] for (uint t = 0; t < TRIPS; t++) {
            uint e = at.lane + t * LANES, m = at.m + i * M + e / QUADS, n = at.n + e % QUADS;
            if ((M * QUADS % LANES == 0 || e < M * QUADS) && m < p.m && n < p.n_store)
                y[m * p.y_stride + p.y_offset + n] = result[t];
        }
    }
}

void main()
{
    uint sg = gl_SubgroupID, sk = sg % SG_K, sn = sg / SG_K % SG_N, sm = sg / (SG_K * SG_N);
    part mine = part(gl_WorkGroupID.y * BM + sm * FRAGS_M * M, gl_WorkGroupID.x * (BN / 4) + sn * QUADS, (sg - sk) * STRIP, sk,
                     sk * SIZE + gl_SubgroupInvocationID);
    uint m0 = gl_WorkGroupID.y * BM, steps = (p.kq / 2 + KO - 1) / KO;
    id = sg * SIZE + gl_SubgroupInvocationID;
    [[unroll]] for (uint i = 0; i < NX; i++) {
        uint m = m0 + (id + i * WG) / KO;
        origin[i] = LINEAR ? ivec2((min(m, p.m - 1) * p.x_stride + p.x_offset) / 2, 0) : window(m);
    }
    [[unroll]] for (uint i = 0; i < FRAGS_M * FRAGS_N; i++)
        acc[i] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0.0);

    cursor at = cursor(0, 0);
    advance(at, id % KO);
    fetch(0, at);
    prepare(mine);
    for (uint step = 0;; step++) {
        stage();
        barrier();
        if (step + 1 < steps) {
            advance(at, KO);
            fetch(step + 1, at);
        }
        multiply(sm, sn, sk);
        if (step + 1 == steps)
            break;
        barrier();
    }
    finish(mine);
}
