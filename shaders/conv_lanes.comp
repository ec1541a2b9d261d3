#version 450
// SPDX-License-Identifier: Apache-2.0
// Dense convolution on cooperative matrices that every invocation fills by itself, knowing which elements it holds (deal.comp):
// nothing is staged, nothing waits for others but the sums of subgroups that split k. A workgroup makes BM pixels x BN channels;
// its subgroups share out pixels, channels and k, each with FRAGS_M x FRAGS_N matrices of float32 sums.
//
// ROW_LANES invocations share a row of a matrix, with E elements each. Which k is a column of X's matrices, and a row of W's, does
// not matter as long as it is the same for both, nor which channel is which column: so an invocation reads its part of a row of X
// as octs (8 halves), enough for several matrices, and finishes pieces of V channels: octs where its matrices side by side hold
// them, else quads. W is packed to match.
//
// A pass of the network finds its code in no cache, and waits about as long for a kilobyte of it as for memory: so every step is
// here once, or twice where the next one is read ahead, and what may stay a loop does.
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
layout(constant_id = 19) const uint AHEAD = 0; // steps of k that are read before they are due, 0 or 1
#include "conv.glsl"

layout(std430, binding = 0) restrict readonly buffer X8 { uvec4 x8[]; };
layout(std430, binding = 1) restrict readonly buffer W8 { uvec4 w8[]; }; // [n / 16][k / 16][OCTS_B][invocation]
layout(std430, binding = 2) restrict readonly buffer R8 { uvec4 r8[]; };
layout(std430, binding = 3) restrict writeonly buffer Y8 { uvec4 y8[]; };

#include "lanes.glsl"

const uint QUADS = PIECES * PIECE_QUADS;
const bool LATE = SG_K > 1 || ACT >= ACT_GELU;       // sums pass through shared memory, for a loop to finish them
const bool PLAIN = ACT == ACT_NONE && SCALE == 0 && ROPE == 0;
const bool EARLY = (PLAIN || RESIDUAL == 2) && !LATE; // the residual starts the sums

shared uvec4 sums[LATE ? QUADS * WG : 1];

uvec4 x_octs[1 + AHEAD][FRAGS_M][ROWS], w_octs[1 + AHEAD][FRAGS_N][DEPTH * OCTS_B]; // of a step, and of the one that is read ahead
ivec2 origin[FRAGS_M * ROWS];
uint w_at[FRAGS_N];

#define STEPS ((p.kq / 2 + ROW_LANES - 1) / ROW_LANES) // of k, each a matrix deep DEPTH times

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

// Matrix d of those that the octs of an invocation's rows fill, of the matrices i along the pixels.
coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseA> rows_of_x(uint from, uint i, uint d)
{
    coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseA> a;
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        [[unroll]] for (uint e = 0; e < E; e += 2) {
            f16vec2 two = unpackFloat2x16(x_octs[from][i][r][(d * E + e) / 2]);
            a[ELEMENT(r, e)] = two.x;
            a[ELEMENT(r, e + 1)] = two.y;
        }
    return a;
}

coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseB> matrix_of_w(uint from, uint j, uint d)
{
    coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseB> b;
    [[unroll]] for (uint i = 0; i < OCTS_B * 4; i++) {
        f16vec2 two = unpackFloat2x16(w_octs[from][j][d * OCTS_B + i / 4][i % 4]);
        b[2 * i] = two.x;
        b[2 * i + 1] = two.y;
    }
    return b;
}

// Reads a step of k; behind the last one zeros of X, and W's last one again.
void load(uint to, uint step, cursor at)
{
    uint from = AHEAD == 0 ? step : min(step, STEPS - 1);
    [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            x_octs[to][i][r] = fetch(origin[i * ROWS + r], at);
    [[unroll]] for (uint j = 0; j < FRAGS_N; j++)
        [[unroll]] for (uint o = 0; o < DEPTH * OCTS_B; o++)
            w_octs[to][j][o] = w8[w_at[j] + (from * DEPTH * OCTS_B + o) * SUBGROUP];
}

void multiply(uint from)
{
    [[unroll]] for (uint d = 0; d < DEPTH; d++) {
        coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseA> a[FRAGS_M];
        [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
            a[i] = rows_of_x(from, i, d);
        [[unroll]] for (uint j = 0; j < FRAGS_N; j++) {
            coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseB> b = matrix_of_w(from, j, d);
            [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
                acc[i * FRAGS_N + j] = coopMatMulAdd(a[i], b, acc[i * FRAGS_N + j]);
        }
    }
}

// Residual of the piece from quad n on.
uvec4 residual_of(uint m, uint n)
{
    if (V == 4)
        return uvec4(residual(m, n), 0, 0);
    return RESIDUAL != 0 && n < p.rq ? r8[(m * p.r_stride + p.r_offset + n) / 2] : uvec4(0);
}

// Writes the piece of pixel m from quad n on; v: its sums, one quad or two.
void write_piece(uint m, uint n, vec4 v[2])
{
    if (m >= p.m || n >= p.n_store)
        return;
    uvec4 added = EARLY ? uvec4(0) : residual_of(m, n);
    uint to = m * p.y_stride + p.y_offset + n;
    if (V == 4)
        y[to] = finished(m, n, v[0], added.xy, !EARLY);
    else
        y8[to / 2] = uvec4(finished(m, n, v[0], added.xy, !EARLY), finished(m, n + 1, v[1], added.zw, !EARLY));
}

void main()
{
    uint sg = gl_SubgroupID, lane = gl_SubgroupInvocationID, sk = sg % SG_K, sn = sg / SG_K % SG_N, sm = sg / (SG_K * SG_N);
    // Of this invocation: its first row, its first quad; of the subgroup: first matrix along n.
    uint m0 = (gl_WorkGroupID.y * SG_M + sm) * FRAGS_M * SIZE + lane / ROW_LANES;
    uint b0 = (gl_WorkGroupID.x * SG_N + sn) * FRAGS_N, n0 = b0 * (SIZE / 4) + lane % ROW_LANES * PIECE_QUADS;
#define ROW(i, r) (m0 + (i) * SIZE + (r) * (SUBGROUP / ROW_LANES))
#define QUAD_N(j) (n0 + (j) * WIDE * (SIZE / 4))

    [[unroll]] for (uint i = 0; i < FRAGS_M * ROWS; i++) {
        uint m = ROW(i / ROWS, i % ROWS);
        origin[i] = LINEAR ? ivec2((min(m, p.m - 1) * p.x_stride + p.x_offset) / 2, 0) : window(m);
    }
    [[unroll]] for (uint j = 0; j < FRAGS_N; j++)
        w_at[j] = min(b0 + j, p.nq / (SIZE / 4) - 1) * STEPS * DEPTH * OCTS_B * SUBGROUP + lane;

    [[unroll]] for (uint j = 0; j < COLUMNS; j++) {
        vec4 bias[PIECE_QUADS];
        [[unroll]] for (uint k = 0; k < PIECE_QUADS; k++)
            bias[k] = sk == 0 ? param(min(QUAD_N(j), p.nq - PIECE_QUADS) + k) : vec4(0);
        [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                uvec4 added = EARLY && sk == 0 ? residual_of(min(ROW(i, r), p.m - 1), QUAD_N(j)) : uvec4(0);
                [[unroll]] for (uint k = 0; k < PIECE_QUADS; k++) {
                    vec4 v = bias[k];
                    if (RESIDUAL != 0 && EARLY)
                        v += load_quad(k == 0 ? added.xy : added.zw);
                    [[unroll]] for (uint e = 0; e < 4; e++)
                        SUM(i, j, r, 4 * k + e) = v[e];
                }
            }
    }

    cursor at = cursor(0, 0);
    advance(at, lane % ROW_LANES + sk * ROW_LANES);
    if (AHEAD == 0) {
        [[dont_unroll]] for (uint step = sk; step < STEPS; step += SG_K) {
            load(0, step, at);
            advance(at, ROW_LANES * SG_K);
            multiply(0);
        }
    } else {
        load(0, sk, at);
        [[dont_unroll]] for (uint step = sk; step < STEPS; step += 2 * SG_K) {
            advance(at, ROW_LANES * SG_K);
            load(1, step + SG_K, at);
            multiply(0);
            if (step + SG_K >= STEPS)
                break;
            advance(at, ROW_LANES * SG_K);
            load(0, step + 2 * SG_K, at);
            multiply(1);
        }
    }

    uint own = (sg - sk) * QUADS * SUBGROUP + lane; // of the subgroups that split k, one after the other: [subgroup][quad][invocation]
    [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
        [[unroll]] for (uint j = 0; j < COLUMNS; j++)
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                vec4 v[2];
                [[unroll]] for (uint k = 0; k < PIECE_QUADS; k++) {
                    v[k] = QUAD_OF(i, j, r, k);
                    if (LATE)
                        sums[own + (sk * QUADS + ((i * COLUMNS + j) * ROWS + r) * PIECE_QUADS + k) * SUBGROUP] = floatBitsToUint(v[k]);
                }
                if (!LATE)
                    write_piece(ROW(i, r), QUAD_N(j), v);
            }
    if (!LATE)
        return;
    if (SG_K > 1)
        barrier();
    [[dont_unroll]] for (uint q = sk; q < PIECES; q += SG_K) {
        vec4 v[2];
        [[unroll]] for (uint k = 0; k < PIECE_QUADS; k++) {
            v[k] = uintBitsToFloat(sums[own + (q * PIECE_QUADS + k) * SUBGROUP]);
            [[unroll]] for (uint s = 1; s < SG_K; s++)
                v[k] += uintBitsToFloat(sums[own + (s * QUADS + q * PIECE_QUADS + k) * SUBGROUP]);
        }
        write_piece(ROW(q / (COLUMNS * ROWS), q % ROWS), QUAD_N(q / ROWS % COLUMNS), v);
    }
}
