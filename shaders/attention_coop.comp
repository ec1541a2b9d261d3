#version 450
// SPDX-License-Identifier: Apache-2.0
// Global attention (attention.comp) on cooperative matrices of 16 x 16. A workgroup has FRAGS * 16 queries of one head; its SPLIT
// subgroups take every SPLIT-th step of BLOCKS * 16 keys each and add up their sums at the end. The bias of 16 queries and 16 keys
// is a product too: the table, resized along the queries, times the keys' weights of its columns. All columns that 16 keys need lie
// in a window of WINDOWS * 16.
//
// Nothing is staged: of a matrix, invocation 4 g + l holds the rows g + r * LANES / 4 (of a second factor: columns), and of each the
// columns (rows) 2 l + {0, 1, 8, 9}: a quad. So what a matrix of sums holds is in place as a first factor already. Which channel,
// key or column of the table is which k of a product does not matter as long as it is the same for both factors, so rows of tensors
// are read as octs (8 halves), enough for two matrices; of values whole quads of channels are read, which become columns n and
// n + 8 of two matrices, so that results are quads again. Where a device deals its matrices out otherwise (!DEALT, see
// gpu_deal_in_pairs) they pass through shared memory.
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
layout(constant_id = 0) const uint WG = 128;   // invocations: SPLIT subgroups
layout(constant_id = 1) const uint LANES = 32; // of a subgroup: at most 32
layout(constant_id = 2) const uint D4 = 8;     // quads of a head
layout(constant_id = 3) const uint FRAGS = 1;
layout(constant_id = 4) const uint SPLIT = 4;
layout(constant_id = 5) const uint BLOCKS = 2;
layout(constant_id = 6) const uint WINDOWS = 1;
layout(constant_id = 7) const bool ALIGNED = false; // heads begin at octs of the tensor and are whole octs
layout(constant_id = 8) const bool RAGGED = true;   // the tokens are no whole steps
layout(constant_id = 9) const bool RESIDUAL = false;
layout(constant_id = 10) const bool DEALT = false;
layout(constant_id = 11) const uint M = 16; // the device's matrices; with DEALT 16 each
layout(constant_id = 12) const uint N = 16;
layout(constant_id = 13) const uint K = 16;
layout(constant_id = 14) const uint QKV_STRIDE = 8; // quads from a token to the next
layout(constant_id = 15) const uint V_STRIDE = 8;

layout(std430, binding = 0) readonly buffer X { uvec2 x[]; };            // (N, 3C): q (scaled), k
layout(std430, binding = 0) readonly buffer X8 { uvec4 x8[]; };
layout(std430, binding = 1) readonly buffer V { uvec2 v[]; };       // (N, C)
layout(std430, binding = 2) writeonly buffer Y { uvec2 y[]; };      // (N, C)
layout(std430, binding = 3) readonly buffer Bias { uvec4 bias[]; }; // table, weights: op_attention_coop.c
layout(std430, binding = 4) readonly buffer R { uvec2 residual[]; };     // (N, C): added to the result
layout(push_constant) uniform Push { attention_coop_push p; };

const uint ROWS = 64 / LANES;    // of a matrix, an invocation's
const uint HALF = ROWS / 2;      // of them in its upper half
const uint NEXT = LANES / 4;     // from one to the next
const uint WIDE = (D4 + 7) / 8;  // times 32 channels make a head; each time
const uint DEEP = 2 * WIDE;      // two matrices
const uint LINES = FRAGS * ROWS; // an invocation's queries,
const uint ITEMS = LINES * DEEP; // quads of its results
const float NONE = -1e30, OUT = -1e38, LOG2E = 1.4426950408889634;

shared vec4 parts[WG * ITEMS];                 // [subgroup][item][invocation]
shared vec2 stats[WG * LINES];                 // [subgroup][query][invocation]: largest logit, sum of weights
shared uvec2 scratch[DEALT ? 1 : SPLIT * 256]; // of a subgroup: two factors of 16 x 4, sums of 16 x 8

uint part, lane, g, l;
uint head, first_query;
uvec2 q[FRAGS][DEEP][ROWS], k[BLOCKS][DEEP][ROWS];
uvec2 quads[BLOCKS][WIDE][4][HALF]; // of the values of four keys
vec4 s[FRAGS][BLOCKS][ROWS];        // logits, then weights
vec4 o[FRAGS][DEEP][ROWS];
float top[LINES], sum[LINES];

// c += a b; a by rows, b by columns.
void multiply(inout vec4 c[ROWS], uvec2 a[ROWS], uvec2 b[ROWS])
{
    coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> ma;
    coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> mb;
    coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> mc;
    if (DEALT) {
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            [[unroll]] for (uint e = 0; e < 4; e++) {
                ma[4 * r + e] = unpackFloat2x16(a[r][e / 2])[e % 2];
                mb[4 * r + e] = unpackFloat2x16(b[r][e / 2])[e % 2];
                mc[4 * r + e] = c[r][e];
            }
        mc = coopMatMulAdd(ma, mb, mc);
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            [[unroll]] for (uint e = 0; e < 4; e++)
                c[r][e] = mc[4 * r + e];
        return;
    }
    uint own = part * 256;
    subgroupBarrier();
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        scratch[own + r * LANES + lane] = a[r];
        scratch[own + 64 + r * LANES + lane] = b[r];
    }
    subgroupBarrier();
    for (uint m = 0; m < 16; m += M)
        for (uint n = 0; n < 16; n += N) {
            mc = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0.0);
            for (uint k = 0; k < 16; k += K) {
                coopMatLoad(ma, scratch, own + m * 4 + k / 4, 4, gl_CooperativeMatrixLayoutRowMajor);
                coopMatLoad(mb, scratch, own + 64 + n * 4 + k / 4, 4, gl_CooperativeMatrixLayoutColumnMajor);
                mc = coopMatMulAdd(ma, mb, mc);
            }
            coopMatStore(mc, scratch, own + 128 + m * 8 + n / 2, 8, gl_CooperativeMatrixLayoutRowMajor);
        }
    subgroupBarrier();
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint at = own + 128 + (g + r * NEXT) * 8 + l;
        c[r] += uintBitsToFloat(uvec4(scratch[at], scratch[at + 4]));
    }
}

// Row r of an invocation's part of queries or keys: octs 4 i + l of the head that begins at quad `at`.
void read_row(inout uvec2 to[DEEP][ROWS], uint r, uint at)
{
    [[unroll]] for (uint i = 0; i < WIDE; i++) {
        uint j = 8 * i + 2 * l;
        uvec4 oct = uvec4(0);
        if (ALIGNED && j < D4)
            oct = x8[(at + j) / 2];
        if (!ALIGNED && j < D4)
            oct.xy = x[at + j];
        if (!ALIGNED && j + 1 < D4)
            oct.zw = x[at + j + 1];
        to[2 * i][r] = oct.xy;
        to[2 * i + 1][r] = oct.zw;
    }
}

// A factor of the bias: octs of two rows each, `next` octs apart.
void read_bias(out uvec2 to[ROWS], uint at, uint next)
{
    [[unroll]] for (uint r = 0; r < ROWS; r += 2) {
        uvec4 oct = bias[at + r / 2 * next];
        to[r] = oct.xy;
        to[r + 1] = oct.zw;
    }
}

// Queries beyond the last repeat it and are not stored.
void read_queries()
{
    [[unroll]] for (uint f = 0; f < FRAGS; f++)
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint query = min(first_query + f * 16 + r * NEXT, p.tokens - 1);
            read_row(q[f], r, p.qkv_offset + head * D4 + query * QKV_STRIDE);
        }
}

// Keys beyond the last repeat it; their logits are OUT.
uint key(uint i)
{
    return RAGGED ? min(i, p.tokens - 1) : i;
}

// Block b of a step, from key `first` on.
void read_keys(uint b, uint first)
{
    uint keys = p.qkv_offset + p.quads + head * D4, values = p.v_offset + head * D4;
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        read_row(k[b], r, keys + key(first + g + r * NEXT) * QKV_STRIDE);
    [[unroll]] for (uint e = 0; e < 4; e++)
        [[unroll]] for (uint i = 0; i < WIDE; i++)
            [[unroll]] for (uint r = 0; r < HALF; r++) {
                uint n = key(first + 2 * l + e % 2 + e / 2 * 8), j = 8 * i + g + r * NEXT;
                quads[b][i][e][r] = D4 % 8 == 0 || j < D4 ? v[values + n * V_STRIDE + j] : uvec2(0);
            }
}

// s = bias, for block b of a step, block n of all keys.
void begin_logits(uint b, uint n)
{
    vec4 start = vec4(0.0);
    if (RAGGED)
        start = mix(vec4(OUT), start, lessThan(n * 16 + 2 * l + uvec4(0, 1, 8, 9), uvec4(p.tokens)));
    [[unroll]] for (uint f = 0; f < FRAGS; f++)
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            s[f][b][r] = start;

    uint window = uint(max(int(n) * p.slope + p.start, 0)) >> 18; // first quad of the table's columns
    uint table = ((head * p.query_blocks + gl_WorkGroupID.x * FRAGS) * p.columns + window + l) * 8 + g;
    [[unroll]] for (uint t = 0; t < WINDOWS; t++) {
        uvec2 weights[ROWS], columns[ROWS];
        read_bias(weights, p.weights + (n * WINDOWS + t) * 32 + lane, LANES);
        [[unroll]] for (uint f = 0; f < FRAGS; f++) {
            read_bias(columns, table + (f * p.columns + 4 * t) * 8, NEXT);
            multiply(s[f][b], columns, weights);
        }
    }
}

// Over the invocations that share a row.
float largest(vec4 t)
{
    float most = max(max(t.x, t.y), max(t.z, t.w));
    most = max(most, subgroupShuffleXor(most, 1));
    return max(most, subgroupShuffleXor(most, 2));
}

// Logits of row r to weights relative to the largest so far; what was summed before is weighed anew.
void soften(uint f, uint r)
{
    uint i = f * ROWS + r;
    vec4 t = s[f][0][r];
    [[unroll]] for (uint b = 1; b < BLOCKS; b++)
        t = max(t, s[f][b][r]);
    float higher = max(top[i], largest(t)), fall = exp2((top[i] - higher) * LOG2E);
    top[i] = higher;
    sum[i] *= fall;
    [[unroll]] for (uint d = 0; d < DEEP; d++)
        o[f][d][r] *= fall;
    [[unroll]] for (uint b = 0; b < BLOCKS; b++) {
        vec4 e = exp2((s[f][b][r] - higher) * LOG2E);
        s[f][b][r] = e;
        sum[i] += (e.x + e.y) + (e.z + e.w);
    }
}

// The same half of four keys' quads.
uvec2 across(uvec2 of[4][HALF], uint r, uint word, uint half_)
{
    f16vec2 low = f16vec2(unpackFloat2x16(of[0][r][word])[half_], unpackFloat2x16(of[1][r][word])[half_]);
    f16vec2 high = f16vec2(unpackFloat2x16(of[2][r][word])[half_], unpackFloat2x16(of[3][r][word])[half_]);
    return uvec2(packFloat2x16(low), packFloat2x16(high));
}

void weigh(uint b)
{
    [[unroll]] for (uint d = 0; d < DEEP; d++) {
        uvec2 values[ROWS], weights[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            values[r] = across(quads[b][d / 2], r % HALF, d % 2, r / HALF);
        [[unroll]] for (uint f = 0; f < FRAGS; f++) {
            [[unroll]] for (uint r = 0; r < ROWS; r++)
                weights[r] = store_quad(s[f][b][r]);
            multiply(o[f][d], weights, values);
        }
    }
}

// Item (line * WIDE + i) * 2 + h is quad 8 i + 2 l + h of the query.
void share_parts()
{
    [[unroll]] for (uint i = 0; i < ITEMS; i++) {
        uint line = i / DEEP, f = line / ROWS, r = line % ROWS, d = i % DEEP / 2 * 2, h = i % 2;
        parts[(part * ITEMS + i) * LANES + lane] = vec4(o[f][d][r][h], o[f][d][r][2 + h], o[f][d + 1][r][h], o[f][d + 1][r][2 + h]);
    }
    [[unroll]] for (uint i = 0; i < LINES; i++) {
        sum[i] += subgroupShuffleXor(sum[i], 1);
        sum[i] += subgroupShuffleXor(sum[i], 2);
        stats[(part * LINES + i) * LANES + lane] = vec2(top[i], sum[i]);
    }
}

vec4 join_parts(uint i)
{
    uint line = i / DEEP;
    float highest = NONE, total = 0.0;
    vec4 result = vec4(0.0);
    [[unroll]] for (uint n = 0; n < SPLIT; n++)
        highest = max(highest, stats[(n * LINES + line) * LANES + lane].x);
    [[unroll]] for (uint n = 0; n < SPLIT; n++) {
        vec2 stat = stats[(n * LINES + line) * LANES + lane];
        float f = exp2((stat.x - highest) * LOG2E);
        total += f * stat.y;
        result += f * parts[(n * ITEMS + i) * LANES + lane];
    }
    return result / total;
}

void main()
{
    part = gl_SubgroupID;
    lane = gl_SubgroupInvocationID;
    g = lane / 4;
    l = lane % 4;
    head = gl_WorkGroupID.y;
    first_query = gl_WorkGroupID.x * FRAGS * 16 + g;

    read_queries();
    [[unroll]] for (uint i = 0; i < LINES; i++) {
        top[i] = NONE;
        sum[i] = 0.0;
        [[unroll]] for (uint d = 0; d < DEEP; d++)
            o[i / ROWS][d][i % ROWS] = vec4(0.0);
    }
    [[dont_unroll]] for (uint step = part; step < p.steps; step += SPLIT) {
        [[unroll]] for (uint b = 0; b < BLOCKS; b++) {
            read_keys(b, (step * BLOCKS + b) * 16);
            begin_logits(b, step * BLOCKS + b);
        }
        [[unroll]] for (uint b = 0; b < BLOCKS; b++)
            [[unroll]] for (uint d = 0; d < DEEP; d++)
                [[unroll]] for (uint f = 0; f < FRAGS; f++)
                    multiply(s[f][b], q[f][d], k[b][d]);
        [[unroll]] for (uint i = 0; i < LINES; i++)
            soften(i / ROWS, i % ROWS);
        [[unroll]] for (uint b = 0; b < BLOCKS; b++)
            weigh(b);
    }

    share_parts();
    barrier();
    [[dont_unroll]] for (uint i = part; i < ITEMS; i += SPLIT) {
        uint line = i / DEEP, query = first_query + line / ROWS * 16 + line % ROWS * NEXT, j = i % DEEP / 2 * 8 + 2 * l + i % 2;
        if (query >= p.tokens || j >= D4)
            continue;
        vec4 result = join_parts(i);
        if (RESIDUAL)
            result += load_quad(residual[p.r_offset + query * p.r_stride + head * D4 + j]);
        uint to = p.out_offset + query * p.out_stride;
        y[to + head * D4 + j] = store_quad(result);
        if (p.pad == 1 && head == 0 && j == 0)
            y[to + p.quads] = uvec2(0);
    }
}
