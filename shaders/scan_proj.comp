#version 450
// SPDX-License-Identifier: Apache-2.0
// What follows a selective scan, in one pass: the layer norm of its result y, a first residual (base), and a 1x1 convolution with a
// second one, W (norm (y) + base) + bias + R, on cooperative matrices that every invocation fills by itself (as in conv_lanes.comp,
// which explains how). After scan_chunks and scan_carry y is summed up here first.
//
// A workgroup has PLACES pixels with all their channels in shared memory and makes some or all of the output's channels. Weights
// are asked for before the norm, so that they arrive beside it. The norm's own weights are in W's parameters, its bias is in the bias.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#pragma use_vulkan_memory_model
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128; // invocations
layout(constant_id = 1) const uint SG_M = 2; // subgroups along the pixels,
layout(constant_id = 2) const uint SG_N = 2; // the channels,
layout(constant_id = 3) const uint SG_K = 1; // k
layout(constant_id = 4) const uint ROW_LANES = 4;
layout(constant_id = 5) const uint FRAGS_M = 1; // matrices of a subgroup
layout(constant_id = 6) const uint FRAGS_N = 2;
layout(constant_id = 7) const uint STEP_E = 1; // from an invocation's element to the next of the same row,
layout(constant_id = 8) const uint STEP_R = 4; // of the next row,
layout(constant_id = 9) const uint RUN = 2;    // and after so many rows
layout(constant_id = 10) const uint STEP_RUN = 0;
layout(constant_id = 11) const uint C = 64;    // channels
layout(constant_id = 12) const uint LANES = 4; // invocations of a pixel's norm: a power of two
layout(constant_id = 13) const uint AHEAD = 2; // steps of k whose weights are asked for early
layout(constant_id = 14) const uint CHUNK = 0; // of scan_chunks; 0: y is made already
layout(constant_id = 15) const bool BASE = false;
layout(constant_id = 16) const bool RESIDUAL = false;

layout(push_constant) uniform PUSH { scan_proj_push p; };
layout(std430, binding = 0) restrict readonly buffer X { QUAD x[]; };         // terms (pixels, rows or columns, 3, quads), or y
layout(std430, binding = 0) restrict readonly buffer X8 { uvec4 x8[]; };
layout(std430, binding = 1) restrict readonly buffer STATES { vec4 states[]; }; // (4, chunks, quads, 2): of these the states
layout(std430, binding = 2) restrict readonly buffer W8 { uvec4 w8[]; }; // as conv_lanes reads them, then float32 bias, the norm's weights
layout(std430, binding = 3) restrict readonly buffer B { QUAD base[]; };
layout(std430, binding = 4) restrict readonly buffer R { QUAD r[]; };
layout(std430, binding = 5) restrict writeonly buffer Y { QUAD y[]; };

#include "lanes.glsl"

const uint STEPS = ((C + 7) / 8 + ROW_LANES - 1) / ROW_LANES; // of k, each an oct of every invocation of a row
const uint OWN = (STEPS + SG_K - 1) / SG_K;                   // of a subgroup
const uint EARLY = AHEAD < OWN ? AHEAD : OWN;
const uint PLACES = SG_M * FRAGS_M * SIZE;
const uint OCTS = STEPS * ROW_LANES, PITCH = OCTS + (OCTS % 8 == 4 ? 0 : 4); // neighbouring rows in other banks
const uint EACH = (OCTS + LANES - 1) / LANES;                                // octs of an invocation's norm
const uint SUMS = SG_K > 1 ? PIECES * PIECE_QUADS * WG : 0;

const uint CLUSTER = LANES, STRIP = 1, QUADS = 2 * EACH;
#define SHUFFLE
#include "norm.glsl"

shared uvec4 pool[PLACES * PITCH > SUMS ? PLACES * PITCH : SUMS]; // octs of the places, then sums of subgroups that split k

#define ALL_PIECES(i, j, r, k)                                              \
    [[unroll]] for (uint i = 0; i < FRAGS_M; i++)                           \
        [[unroll]] for (uint j = 0; j < COLUMNS; j++)                       \
            [[unroll]] for (uint r = 0; r < ROWS; r++)                      \
                [[unroll]] for (uint k = 0; k < PIECE_QUADS; k++)

// The states that the pixel's chunks start with lie here, by sequence: rows, rows reversed, columns, columns reversed.
uvec4 find_states(uint pixel)
{
    uint row = pixel / CHUNK, column = (pixel % p.w * p.h + pixel / p.w) / CHUNK, last = p.chunks - 1;
    return (uvec4(row, last - row, column, last - column) + uvec4(0, 1, 2, 3) * p.chunks) * CQ;
}

vec4 sum_up(uint pixel, uvec4 from, uint q)
{
    vec4 sum = vec4(0.0);
    [[unroll]] for (uint i = 0; i < 2; i++) {
        uint at = (pixel * 2 + i) * 3 * CQ + q;
        vec4 forth = states[(from[2 * i] + q) * 2 + 1], back = states[(from[2 * i + 1] + q) * 2 + 1];
        sum += load_quad(x[at]) + load_quad(x[at + CQ]) * forth + load_quad(x[at + 2 * CQ]) * back;
    }
    return sum;
}

// The norm of the workgroup's pixels, and the base, to shared memory; zeros after the last channel.
void stage(uint first)
{
    uint part = INVOCATION % LANES;
    [[dont_unroll]] for (uint place = INVOCATION / LANES; place < PLACES; place += WG / LANES) {
        uint pixel = min(first + place, p.pixels - 1);
        uvec4 from = CHUNK > 0 ? find_states(pixel) : uvec4(0);
        vec4 v[QUADS];
        QUAD added[QUADS];
        uvec4 weight[EACH];
        [[unroll]] for (uint i = 0; i < EACH; i++) {
            uint o = min(part + i * LANES, (CQ - 1) / 2);
            weight[i] = w8[p.norm + o];
            [[unroll]] for (uint k = 0; k < 2; k++)
                added[2 * i + k] = BASE ? base[pixel * p.base_stride + p.base_offset + min(2 * o + k, CQ - 1)] : QUAD(0);
            if (CHUNK == 0) {
                uvec4 oct = x8[(pixel * p.x_stride + p.x_offset) / 2 + o];
                v[2 * i] = load_quad(oct.xy);
                v[2 * i + 1] = load_quad(oct.zw);
            } else {
                [[unroll]] for (uint k = 0; k < 2; k++)
                    v[2 * i + k] = sum_up(pixel, from, min(2 * o + k, CQ - 1));
            }
        }
        start(0, subgroupShuffle(v[0].x, gl_SubgroupInvocationID - part));
        [[unroll]] for (uint i = 0; i < QUADS; i++)
            add(0, 2 * (part + i / 2 * LANES) + i % 2, v[i]);
        normalise(p.eps);
        [[unroll]] for (uint i = 0; i < EACH; i++) {
            uint o = part + i * LANES;
            uvec4 oct;
            [[unroll]] for (uint k = 0; k < 2; k++) {
                vec4 scale = norm[0].y * load_quad(k == 0 ? weight[i].xy : weight[i].zw);
                uvec2 quad = store_quad((v[2 * i + k] - norm[0].x) * scale + load_quad(added[2 * i + k]));
                oct[2 * k] = 2 * o + k < CQ ? quad.x : 0;
                oct[2 * k + 1] = 2 * o + k < CQ ? quad.y : 0;
            }
            if (OCTS % LANES == 0 || o < OCTS)
                pool[place * PITCH + o] = oct;
        }
    }
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

uint w_at[FRAGS_N], x_at; // of an invocation: its octs of W, its first row's in shared memory

const uint W_OCTS = FRAGS_N * DEPTH * OCTS_B; // of a step
uvec4 ahead[EARLY + 1][W_OCTS];                // of steps, in registers; the last: of the step at hand

#define LOAD_WEIGHTS(to, step)                                                                      \
    [[unroll]] for (uint o = 0; o < W_OCTS; o++)                                                    \
        to[o] = w8[w_at[o / (DEPTH * OCTS_B)] + ((step) * DEPTH * OCTS_B + o % (DEPTH * OCTS_B)) * SUBGROUP]

void multiply(uint step, uvec4 w[W_OCTS])
{
    uvec4 x_octs[FRAGS_M][ROWS];
    [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            x_octs[i][r] = pool[x_at + (i * SIZE + r * (SUBGROUP / ROW_LANES)) * PITCH + step * ROW_LANES];
    [[unroll]] for (uint d = 0; d < DEPTH; d++) {
        coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseA> a[FRAGS_M];
        [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
            a[i] = rows_of_x(x_octs[i], d);
        [[unroll]] for (uint j = 0; j < FRAGS_N; j++) {
            coopmat<float16_t, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseB> b;
            [[unroll]] for (uint o = 0; o < OCTS_B * 4; o++) {
                f16vec2 two = unpackFloat2x16(w[(j * DEPTH + d) * OCTS_B + o / 4][o % 4]);
                b[2 * o] = two.x;
                b[2 * o + 1] = two.y;
            }
            [[unroll]] for (uint i = 0; i < FRAGS_M; i++)
                acc[i * FRAGS_N + j] = coopMatMulAdd(a[i], b, acc[i * FRAGS_N + j]);
        }
    }
}

QUAD r_at(uint m, uint n)
{
    return r[m * p.r_stride + p.r_offset + n];
}

void write_quad(uint m, uint n, vec4 v)
{
    if (m < p.pixels && n < p.n_store)
        y[m * p.y_stride + p.y_offset + n] = store_quad(v);
}

void main()
{
    uint sg = gl_SubgroupID, lane = gl_SubgroupInvocationID, sk = sg % SG_K, sn = sg / SG_K % SG_N, sm = sg / (SG_K * SG_N);
    // Of this invocation: its first row, its first quad; of the subgroup: first matrix along n.
    uint first = gl_WorkGroupID.y * PLACES, row = sm * FRAGS_M * SIZE + lane / ROW_LANES, m0 = first + row;
    uint b0 = (gl_WorkGroupID.x * SG_N + sn) * FRAGS_N, n0 = b0 * (SIZE / 4) + lane % ROW_LANES * PIECE_QUADS;
#define ROW(i, r) (m0 + (i) * SIZE + (r) * (SUBGROUP / ROW_LANES))
#define QUAD_N(j, k) (n0 + (j) * WIDE * (SIZE / 4) + (k))

    x_at = row * PITCH + lane % ROW_LANES;
    [[unroll]] for (uint j = 0; j < FRAGS_N; j++)
        w_at[j] = min(b0 + j, p.nq / (SIZE / 4) - 1) * STEPS * DEPTH * OCTS_B * SUBGROUP + lane;
    [[unroll]] for (uint i = 0; i < EARLY; i++)
        LOAD_WEIGHTS(ahead[i], min(sk + i * SG_K, STEPS - 1));
    QUAD added[PIECES * PIECE_QUADS];
    ALL_PIECES(i, j, r, k) {
        uint n = QUAD_N(j, k);
        bool has = RESIDUAL && sk == 0 && n < CQ;
        added[((i * COLUMNS + j) * ROWS + r) * PIECE_QUADS + k] = has ? r_at(min(ROW(i, r), p.pixels - 1), n) : QUAD(0);
    }
    stage(first);
    ALL_PIECES(i, j, r, k) {
        vec4 v = load_quad(added[((i * COLUMNS + j) * ROWS + r) * PIECE_QUADS + k]);
        v += sk == 0 ? uintBitsToFloat(w8[p.bias + min(QUAD_N(j, k), p.nq - 1)]) : vec4(0);
        [[unroll]] for (uint e = 0; e < 4; e++)
            SUM(i, j, r, 4 * k + e) = v[e];
    }
    barrier();
    [[unroll]] for (uint i = 0; i < EARLY; i++)
        if (STEPS % SG_K == 0 || sk + i * SG_K < STEPS)
            multiply(sk + i * SG_K, ahead[i]);
    if (EARLY < OWN)
        [[dont_unroll]] for (uint step = sk + EARLY * SG_K; step < STEPS; step += SG_K) {
            LOAD_WEIGHTS(ahead[EARLY], step);
            multiply(step, ahead[EARLY]);
        }

    if (SG_K == 1) {
        ALL_PIECES(i, j, r, k)
            write_quad(ROW(i, r), QUAD_N(j, k), QUAD_OF(i, j, r, k));
        return;
    }
    const uint quads = PIECES * PIECE_QUADS;
    uint own = (sg - sk) * quads * SUBGROUP + lane; // of the subgroups that split k, one after the other: [subgroup][quad][invocation]
    barrier();
    ALL_PIECES(i, j, r, k)
        pool[own + (sk * quads + ((i * COLUMNS + j) * ROWS + r) * PIECE_QUADS + k) * SUBGROUP] = floatBitsToUint(QUAD_OF(i, j, r, k));
    barrier();
    [[dont_unroll]] for (uint q = sk; q < quads; q += SG_K) {
        vec4 v = vec4(0);
        [[unroll]] for (uint s = 0; s < SG_K; s++)
            v += uintBitsToFloat(pool[own + (s * quads + q) * SUBGROUP]);
        uint piece = q / PIECE_QUADS;
        write_quad(ROW(piece / (COLUMNS * ROWS), piece % ROWS), QUAD_N(piece / ROWS % COLUMNS, q % PIECE_QUADS), v);
    }
}
