#version 450
// SPDX-License-Identifier: Apache-2.0
// Neighborhood attention (natten.comp) on cooperative matrices. A subgroup has M queries of one head, QX x M / QX pixels. Their
// windows together are ROWS rows of at most KW keys; a row makes KW logits a query, Q K^T + bias, in matrices that stay in
// registers. The bias is -1e30 for keys outside a query's window. All logits are there before the softmax, so that nothing
// is ever rescaled; it needs the largest of each query's, in shared memory. The probabilities, as halves, are multiplied by the
// values, and by ones for their sums.
//
// A workgroup has GX x GY such groups of queries and SPLIT subgroups for each, which share its rows of keys. Keys, later values,
// of all of them lie in shared memory in octs (8 halves, 16 bytes), with an odd number of octs a key against bank conflicts.
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
layout(constant_id = 0) const uint WG = 128; // invocations: whole subgroups
layout(constant_id = 1) const uint D4 = 8;   // quads of a head
layout(constant_id = 2) const uint WINDOW = 7;
layout(constant_id = 3) const uint QX = 8;
layout(constant_id = 4) const uint GX = 1;
layout(constant_id = 5) const uint GY = 2;
layout(constant_id = 6) const uint SPLIT = 2;
layout(constant_id = 7) const bool ALIGNED = false; // heads begin at octs of the tensor and are whole octs
layout(constant_id = 8) const uint SHARED = 2048;   // octs of shared memory, with tops
layout(constant_id = 9) const uint M = 16;          // size of a matrix; divides KW
layout(constant_id = 10) const uint N = 16;
layout(constant_id = 11) const uint K = 16;

layout(std430, binding = 0) readonly buffer X { QUAD x[]; };    // (H, W, 3C): q (scaled), k, v
layout(std430, binding = 0) readonly buffer X8 { uvec4 x8[]; };
layout(std430, binding = 1) writeonly buffer Y { QUAD y[]; };   // (H, W, C)
layout(std430, binding = 2) readonly buffer Bias { float bias[]; }; // [head][kind of column][kind of row][ROWS][M][KW]
layout(push_constant) uniform Push { natten_coop_push p; };

const uint KW = 16;
const uint QY = M / QX, ROWS = QY + WINDOW - 1;
const uint OWN = (ROWS + SPLIT - 1) / SPLIT;                 // rows of keys of a subgroup
const uint COLS = KW / N;                                    // matrices of a row
const uint D = (D4 * 4 + 15) / 16 * 16;                      // of a head in shared memory, with zeros
const uint OCTS = D / 8, PITCH = OCTS + 1;                   // octs of a key, and to the next
const uint SW = GX * QX + WINDOW - 1, SH = GY * QY + WINDOW - 1;
const uint KEYS = SW * SH + KW;                              // the last row may be read past its end
const uint LOADS = KEYS * OCTS, EACH = (LOADS + WG - 1) / WG; // octs that an invocation stages
const uint BATCH = EACH < 8 ? EACH : 8;                      // of them at a time
const uint STRIP = 2 * KW / 8 + 1, TOPS = N / 4 + 1;         // octs of a query's probabilities (two rows); of its maxima
const uint SCRATCH = M * (PITCH > 5 ? PITCH : 5);            // octs of a subgroup's shared memory behind the keys
const uint SUMS = (D + N) / 4 + 1;                           // octs of a query's results
const uint SUBGROUPS = GX * GY * SPLIT;
const float NONE = -1e30, LOG2E = 1.4426950408889634;

shared uvec4 pool[SHARED - (SUBGROUPS * M + 3) / 4];
shared float tops[SUBGROUPS * M];

#define SCOPE gl_ScopeSubgroup
#define ROW_MAJOR gl_CooperativeMatrixLayoutRowMajor
#define COLUMN_MAJOR gl_CooperativeMatrixLayoutColumnMajor
#define SUM coopmat<float, SCOPE, M, N, gl_MatrixUseAccumulator>

uint id, sg, lane;   // in the workgroup, in order of the subgroups; subgroup; in it
uint left, top;      // the first key of the workgroup
uint scratch;        // of this subgroup
uvec4 next[BATCH];
SUM s[OWN * COLS];

uint window_start(uint i, uint n)
{
    return uint(clamp(int(i) - int(WINDOW / 2), 0, int(n - WINDOW)));
}

// Oct o of a pixel's q (plane 0), k or v.
uvec4 fetch(uint row, uint column, uint plane, uint o)
{
    uint at = p.qkv_offset + (row * p.width + column) * p.qkv_stride + plane * p.quads + gl_WorkGroupID.z * D4 + 2 * o;
    if (2 * o >= D4)
        return uvec4(0);
    if (ALIGNED)
        return x8[at / 2];
    return uvec4(x[at], D4 % 2 == 0 || 2 * o + 1 < D4 ? x[at + 1] : uvec2(0));
}

// Keys (plane 1) or values (2) on their way to shared memory, BATCH octs an invocation. Beyond the map the last ones are repeated.
void fetch_keys(uint first, uint plane)
{
    [[unroll]] for (uint i = 0; i < BATCH; i++) {
        uint e = first + i * WG + id, key = min(e / OCTS, SW * SH - 1);
        next[i] = fetch(min(top + key / SW, p.height - 1), min(left + key % SW, p.width - 1), plane, e % OCTS);
    }
}

void keep_keys(uint first)
{
    [[unroll]] for (uint i = 0; i < BATCH; i++) {
        uint e = first + i * WG + id;
        if (e < LOADS)
            pool[e / OCTS * PITCH + e % OCTS] = next[i];
    }
}

// All that remain after `first`.
void stage_keys(uint first, uint plane)
{
    for (; first < LOADS; first += BATCH * WG) {
        fetch_keys(first, plane);
        keep_keys(first);
    }
}

void stage_queries(uint x0, uint y0)
{
    for (uint e = lane; e < M * OCTS; e += gl_SubgroupSize) {
        uint q = e / OCTS, row = min(y0 + q / QX, p.height - 1), column = min(x0 + q % QX, p.width - 1);
        pool[scratch + q * PITCH + e % OCTS] = fetch(row, column, 0, e % OCTS);
    }
}

// Whether row i * SPLIT + split of keys exists.
bool has_row(uint i, uint split)
{
    return (i + 1) * SPLIT <= ROWS || i * SPLIT + split < ROWS;
}

// s += Q K^T, with row i * SPLIT of keys at keys + i * SPLIT * SW.
void logits(uint keys, uint split)
{
    coopmat<float16_t, SCOPE, M, K, gl_MatrixUseA> q[D / K];
    [[unroll]] for (uint k = 0; k < D / K; k++)
        coopMatLoad(q[k], pool, scratch + k * K / 8, PITCH, ROW_MAJOR);
    [[unroll]] for (uint i = 0; i < OWN; i++) {
        if (!has_row(i, split))
            continue;
        [[unroll]] for (uint c = 0; c < COLS; c++)
            [[unroll]] for (uint k = 0; k < D / K; k++) {
                coopmat<float16_t, SCOPE, K, N, gl_MatrixUseB> key;
                coopMatLoad(key, pool, (keys + i * SPLIT * SW + c * N) * PITCH + k * K / 8, PITCH, COLUMN_MAJOR);
                s[i * COLS + c] = coopMatMulAdd(q[k], key, s[i * COLS + c]);
            }
    }
}

// tops: the largest of each query's logits, of this subgroup's keys.
void find_tops()
{
    SUM m = s[0];
    [[unroll]] for (uint i = 1; i < OWN * COLS; i++) {
        SUM other = s[i]; // s[i][e] would put s into memory
        [[unroll]] for (uint e = 0; e < m.length(); e++)
            m[e] = max(m[e], other[e]);
    }
    subgroupBarrier();
    coopMatStore(m, pool, scratch, TOPS, ROW_MAJOR);
    subgroupBarrier();
    for (uint q = lane; q < M; q += gl_SubgroupSize) {
        vec4 t = vec4(NONE);
        [[unroll]] for (uint j = 0; j < N / 4; j++)
            t = max(t, uintBitsToFloat(pool[scratch + q * TOPS + j]));
        tops[sg * M + q] = max(max(t.x, t.y), max(t.z, t.w));
    }
}

// The maxima over all subgroups of a group, times log2 e, in every column.
SUM load_tops()
{
    for (uint e = lane; e < M * N / 4; e += gl_SubgroupSize) {
        uint q = e / (N / 4);
        float t = NONE;
        [[unroll]] for (uint i = 0; i < SPLIT; i++)
            t = max(t, tops[(sg / SPLIT * SPLIT + i) * M + q]);
        pool[scratch + q * TOPS + e % (N / 4)] = floatBitsToUint(vec4(t * LOG2E));
    }
    subgroupBarrier();
    SUM m;
    coopMatLoad(m, pool, scratch, TOPS, ROW_MAJOR);
    return m;
}

// Row i of the probabilities to half h of the strip.
void put_probabilities(uint i, uint h, SUM m)
{
    [[unroll]] for (uint c = 0; c < COLS; c++) {
        SUM e = s[i * COLS + c];
        [[unroll]] for (uint j = 0; j < e.length(); j++)
            e[j] = exp2(e[j] * LOG2E - m[j]);
        coopmat<float16_t, SCOPE, M, N, gl_MatrixUseAccumulator> half_ = coopmat<float16_t, SCOPE, M, N, gl_MatrixUseAccumulator>(e);
        coopMatStore(half_, pool, scratch + (h * KW + c * N) / 8, STRIP, ROW_MAJOR);
    }
}

SUM o[D / N], sum;

// o += P V, sum += P 1, with the row's values at `keys`.
void weigh(uint keys, uint h)
{
    [[unroll]] for (uint c = 0; c < KW / K; c++) {
        coopmat<float16_t, SCOPE, M, K, gl_MatrixUseA> weight;
        coopMatLoad(weight, pool, scratch + (h * KW + c * K) / 8, STRIP, ROW_MAJOR);
        [[unroll]] for (uint n = 0; n < D / N; n++) {
            coopmat<float16_t, SCOPE, K, N, gl_MatrixUseB> value;
            coopMatLoad(value, pool, (keys + c * K) * PITCH + n * N / 8, PITCH, ROW_MAJOR);
            o[n] = coopMatMulAdd(weight, value, o[n]);
        }
        sum = coopMatMulAdd(weight, coopmat<float16_t, SCOPE, K, N, gl_MatrixUseB>(float16_t(1.0)), sum);
    }
}

void weigh_all(uint keys, uint split, SUM m)
{
    sum = SUM(0.0);
    [[unroll]] for (uint n = 0; n < D / N; n++)
        o[n] = SUM(0.0);
    [[unroll]] for (uint i = 0; i < OWN; i += 2) {
        subgroupBarrier();
        put_probabilities(i, 0, m);
        if (i + 1 < OWN)
            put_probabilities(i + 1, 1, m);
        subgroupBarrier();
        [[unroll]] for (uint h = 0; h < 2 && i + h < OWN; h++)
            if (has_row(i + h, split))
                weigh(keys + (i + h) * SPLIT * SW, h);
    }
}

// Sums of the subgroups of a group, divided.
void finish(uint gx, uint gy)
{
    barrier();
    [[unroll]] for (uint n = 0; n < D / N; n++)
        coopMatStore(o[n], pool, sg * M * SUMS + n * N / 4, SUMS, ROW_MAJOR);
    coopMatStore(sum, pool, sg * M * SUMS + D / 4, SUMS, ROW_MAJOR);
    barrier();
    for (uint e = id; e < GX * GY * M * D4; e += WG) {
        uint j = e % D4, q = e / D4 % M, group = e / (D4 * M), at = group * SPLIT * M * SUMS + q * SUMS;
        uint column = (gx + group % GX) * QX + q % QX, row = (gy + group / GX) * QY + q / QX;
        vec4 v = vec4(0.0);
        float total = 0.0;
        [[unroll]] for (uint i = 0; i < SPLIT; i++) {
            v += uintBitsToFloat(pool[at + i * M * SUMS + j]);
            total += uintBitsToFloat(pool[at + i * M * SUMS + D / 4].x);
        }
        if (column >= p.width || row >= p.height)
            continue;
        uint to = p.out_offset + (row * p.width + column) * p.out_stride;
        y[to + gl_WorkGroupID.z * D4 + j] = store_quad(v / total);
        if (p.pad == 1 && gl_WorkGroupID.z == 0 && j == 0)
            y[to + p.quads] = store_quad(vec4(0.0));
    }
}

void main()
{
    sg = gl_SubgroupID;
    lane = gl_SubgroupInvocationID;
    id = sg * gl_SubgroupSize + lane;
    scratch = KEYS * PITCH + sg * SCRATCH;
    uint gx = gl_WorkGroupID.x * GX, gy = gl_WorkGroupID.y * GY;
    left = window_start(gx * QX, p.width);
    top = window_start(gy * QY, p.height);

    // Groups beyond the map repeat the last one and are not stored.
    uint split = sg % SPLIT, group = sg / SPLIT, ax = min(gx + group % GX, p.groups_x - 1), ay = min(gy + group / GX, p.groups_y - 1);
    uint keys = (window_start(ay * QY, p.height) - top + split) * SW + window_start(ax * QX, p.width) - left;
    uint kind_x = min(ax, p.first_x) + max(ax, p.last_x) - p.last_x, kind_y = min(ay, p.first_y) + max(ay, p.last_y) - p.last_y;
    uint row = ((gl_WorkGroupID.z * p.columns + kind_x) * p.rows + kind_y) * ROWS + split;
    fetch_keys(0, 1);
    [[unroll]] for (uint i = 0; i < OWN; i++) {
        [[unroll]] for (uint c = 0; c < COLS; c++) {
            if (has_row(i, split))
                coopMatLoad(s[i * COLS + c], bias, (row + i * SPLIT) * M * KW + c * N, KW, ROW_MAJOR);
            else
                s[i * COLS + c] = SUM(NONE);
        }
    }
    stage_queries(ax * QX, ay * QY);
    keep_keys(0);
    stage_keys(BATCH * WG, 1);
    fetch_keys(0, 2);
    barrier();
    logits(keys, split);
    find_tops();
    barrier();
    keep_keys(0);
    stage_keys(BATCH * WG, 2);
    SUM m = load_tops();
    barrier();
    weigh_all(keys, split, m);
    finish(gx, gy);
}
