#version 450
// SPDX-License-Identifier: Apache-2.0
// Dense convolution on cooperative matrices that every invocation fills by itself, knowing which elements it holds (deal.comp):
// nothing is staged, nothing waits for others but the sums of subgroups that split k. A workgroup makes BM pixels x BN channels;
// its subgroups share out pixels, channels and k, each with FRAGS_M x FRAGS_N matrices of float32 sums.
//
// ROW_LANES invocations share a row of a matrix, with E elements each. Which k is a column of X's matrices, and a row of W's, does
// not matter as long as it is the same for both, nor which channel is which column: so an invocation reads its part of a row of X
// as octs (8 halves), enough for several matrices, and finishes and writes quads of channels. W is packed to match.
//
// A pass of the network finds its code in no cache, and waits about as long for a kilobyte of it as for memory: so every step is
// here once, and what may stay a loop does.
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
layout(constant_id = 0) const uint WG = 128; // invocations
layout(constant_id = 1) const uint SG_M = 2; // subgroups along the pixels,
layout(constant_id = 2) const uint SG_N = 2; // the channels,
layout(constant_id = 3) const uint SG_K = 1; // k
layout(constant_id = 4) const uint ROW_LANES = 4;
layout(constant_id = 13) const uint FRAGS_M = 2; // matrices of a subgroup
layout(constant_id = 14) const uint FRAGS_N = 2;
layout(constant_id = 15) const uint STEP_E = 1; // from an invocation's element to the next of the same row,
layout(constant_id = 16) const uint STEP_R = 4; // of the next row,
layout(constant_id = 17) const uint RUN = 2;    // and after so many rows
layout(constant_id = 18) const uint STEP_RUN = 0;
#include "conv.glsl"

layout(std430, binding = 0) restrict readonly buffer X8 { uvec4 x8[]; };
layout(std430, binding = 1) restrict readonly buffer W8 { uvec4 w8[]; }; // [n / 16][k / 16][OCTS_B][invocation]

const uint SIZE = 16;                                // of a matrix: SIZE x SIZE
const uint LANES = WG / (SG_M * SG_N * SG_K);        // of a subgroup
const uint E = SIZE / ROW_LANES;                     // an invocation's elements of a row, 2 or 4
const uint ROWS = SIZE * ROW_LANES / LANES;          // its rows of a matrix
const uint DEPTH = 8 / E;                            // matrices along k that an oct of each row fills
const uint OCTS_B = SIZE * SIZE / LANES / 8;         // octs of a matrix of W that it holds
const uint WIDE = 4 / E, COLUMNS = FRAGS_N / WIDE;   // matrices side by side that make a quad of each row; so many times
const uint QUADS = FRAGS_M * COLUMNS * ROWS;            // that it finishes, if k is not split
const bool LATE = SG_K > 1 || ACT >= ACT_GELU;       // sums pass through shared memory, for a loop to finish them
const bool EARLY = ACT == ACT_NONE && SCALE == 0 && ROPE == 0; // the residual starts the sums

shared uvec4 sums[LATE ? QUADS * WG : 1];

coopmat<float, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseAccumulator> acc[FRAGS_M * FRAGS_N];

#define ELEMENT(r, e) ((e) * STEP_E + (r) % RUN * STEP_R + (r) / RUN * STEP_RUN)
// Element v of quad (i, j, r) of an invocation: matrix and place.
#define SUM(i, j, r, v) acc[(i) * FRAGS_N + (j) * WIDE + (v) / E][ELEMENT(r, (v) % E)]

// Oct c of the tap `tap` = ky * KERNEL + kx. A tap past the kernel reads zeros.
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

uvec4 fetch(ivec2 from, cursor at)
{
    if (LINEAR)
        return at.c < p.kq / 2 ? x8[uint(from.x) + at.c] : uvec4(0);
    uvec2 q = uvec2(from + ivec2(at.tap % KERNEL, at.tap / KERNEL)); // left of or above the input: huge
    bool valid = at.tap < KERNEL * KERNEL && (PADDED == 0 || (q.x < p.in_w && q.y < p.in_h));
    return valid ? x8[((q.y * p.in_w + q.x) * p.x_stride + p.x_offset) / 2 + at.c] : uvec4(0);
}

// Matrix d of those that the octs of an invocation's rows fill.
coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseA> rows_of_x(uvec4 octs[ROWS], uint d)
{
    coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseA> a;
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        [[unroll]] for (uint e = 0; e < E; e += 2) {
            f16vec2 two = unpackFloat2x16(octs[r][(d * E + e) / 2]);
            a[ELEMENT(r, e)] = two.x;
            a[ELEMENT(r, e + 1)] = two.y;
        }
    return a;
}

coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseB> matrix_of_w(uvec4 octs[OCTS_B])
{
    coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseB> b;
    [[unroll]] for (uint i = 0; i < OCTS_B * 4; i++) {
        f16vec2 two = unpackFloat2x16(octs[i / 4][i % 4]);
        b[2 * i] = two.x;
        b[2 * i + 1] = two.y;
    }
    return b;
}

void main()
{
    uint sg = gl_SubgroupID, lane = gl_SubgroupInvocationID, sk = sg % SG_K, sn = sg / SG_K % SG_N, sm = sg / (SG_K * SG_N);
    // Of this invocation: its first row, its first quad; of the subgroup: first matrix along n.
    uint m0 = (gl_WorkGroupID.y * SG_M + sm) * FRAGS_M * SIZE + lane / ROW_LANES;
    uint b0 = (gl_WorkGroupID.x * SG_N + sn) * FRAGS_N, n0 = b0 * (SIZE / 4) + lane % ROW_LANES;
    uint steps = (p.kq / 2 + ROW_LANES - 1) / ROW_LANES; // each a matrix deep DEPTH times
#define ROW(i, r) (m0 + (i) * SIZE + (r) * (LANES / ROW_LANES))
#define QUAD_N(j) (n0 + (j) * WIDE * (SIZE / 4))

    ivec2 origin[FRAGS_M * ROWS];
    [[unroll]] for (uint i = 0; i < FRAGS_M * ROWS; i++) {
        uint m = ROW(i / ROWS, i % ROWS);
        origin[i] = LINEAR ? ivec2((min(m, p.m - 1) * p.x_stride + p.x_offset) / 2, 0) : window(m);
    }
    uint w_at[FRAGS_N];
    [[unroll]] for (uint j = 0; j < FRAGS_N; j++)
        w_at[j] = min(b0 + j, p.nq / (SIZE / 4) - 1) * steps * DEPTH * OCTS_B * LANES + lane;

    [[unroll]] for (uint j = 0; j < COLUMNS; j++) {
        vec4 bias = sk == 0 ? param(min(QUAD_N(j), p.nq - 1)) : vec4(0);
        [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                vec4 v = bias;
                if (RESIDUAL != 0 && EARLY && sk == 0)
                    v += load_quad(residual(min(ROW(i, r), p.m - 1), QUAD_N(j)));
                [[unroll]] for (uint e = 0; e < 4; e++)
                    SUM(i, j, r, e) = v[e];
            }
    }

    cursor at = cursor(0, 0);
    advance(at, lane % ROW_LANES + sk * ROW_LANES);
    [[dont_unroll]] for (uint step = sk; step < steps; step += SG_K) {
        uvec4 x_octs[FRAGS_M][ROWS], w_octs[DEPTH * FRAGS_N][OCTS_B];
        [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
            [[unroll]] for (uint r = 0; r < ROWS; r++)
                x_octs[i][r] = fetch(origin[i * ROWS + r], at);
        [[unroll]] for (uint j = 0; j < FRAGS_N; j++)
            [[unroll]] for (uint d = 0; d < DEPTH; d++)
                [[unroll]] for (uint o = 0; o < OCTS_B; o++)
                    w_octs[d * FRAGS_N + j][o] = w8[w_at[j] + ((step * DEPTH + d) * OCTS_B + o) * LANES];
        advance(at, ROW_LANES * SG_K);
        [[unroll]] for (uint d = 0; d < DEPTH; d++) {
            coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseA> a[FRAGS_M];
            [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
                a[i] = rows_of_x(x_octs[i], d);
            [[unroll]] for (uint j = 0; j < FRAGS_N; j++) {
                coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseB> b = matrix_of_w(w_octs[d * FRAGS_N + j]);
                [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
                    acc[i * FRAGS_N + j] = coopMatMulAdd(a[i], b, acc[i * FRAGS_N + j]);
            }
        }
    }

    uint own = (sg - sk) * QUADS * LANES + lane; // of the subgroups that split k, one after the other: [subgroup][quad][invocation]
    [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
        [[unroll]] for (uint j = 0; j < COLUMNS; j++)
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                vec4 v = vec4(SUM(i, j, r, 0), SUM(i, j, r, 1), SUM(i, j, r, 2), SUM(i, j, r, 3));
                if (LATE)
                    sums[own + (sk * QUADS + (i * COLUMNS + j) * ROWS + r) * LANES] = floatBitsToUint(v);
                else
                    write_quad(ROW(i, r), QUAD_N(j), v, !EARLY);
            }
    if (!LATE)
        return;
    if (SG_K > 1)
        barrier();
    [[dont_unroll]] for (uint q = sk; q < QUADS; q += SG_K) {
        vec4 v = uintBitsToFloat(sums[own + q * LANES]);
        [[unroll]] for (uint k = 1; k < SG_K; k++)
            v += uintBitsToFloat(sums[own + (k * QUADS + q) * LANES]);
        write_quad(ROW(q / (COLUMNS * ROWS), q % ROWS), QUAD_N(q / ROWS % COLUMNS), v, !EARLY);
    }
}
