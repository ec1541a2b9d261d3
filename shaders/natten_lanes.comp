#version 450
// SPDX-License-Identifier: Apache-2.0
// Neighborhood attention (natten.comp) on cooperative matrices that every invocation fills by itself, straight from the tensor, on
// devices that deal them out to 32 invocations like this (gpu_deal_in_pairs): invocation 4 g + c holds of rows g and g + 8 the columns 2 c, 2 c + 1,
// 2 c + 8 and 2 c + 9, in this order; of a second factor it holds the same of its transpose. So the sums that are a row's
// logits are the first factor of the product with its values, once they are probabilities, and nothing moves between invocations.
//
// A subgroup has 16 queries of one head, QX x 16 / QX pixels. Their windows together are ROWS rows of at most 16 keys; the bias,
// with which the logits start, is -1e30 for keys outside a query's window. BATCH rows are weighed at a time. SPLIT subgroups share
// the rows of keys of a group of queries, each by its own largest logits; the last step puts their sums together. A workgroup has
// GX x GY groups.
//
// Which channels are a matrix's columns does not matter where queries and keys agree: an invocation reads quads or octs of
// them. Of a value it reads quads too, which make two matrices: quad g are columns g and g + 8 of both.
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

layout(local_size_x_id = 0) in;              // GX * GY * SPLIT subgroups
layout(constant_id = 1) const uint D4 = 8;   // quads of a head
layout(constant_id = 2) const uint WINDOW = 7;
layout(constant_id = 3) const uint QX = 8;
layout(constant_id = 4) const uint GX = 1;
layout(constant_id = 5) const uint GY = 1;
layout(constant_id = 6) const uint SPLIT = 4;
layout(constant_id = 7) const bool OCTS = false; // queries and keys are read in octs: heads begin at such, and fill their matrices
layout(constant_id = 8) const uint BATCH = 2;

layout(std430, binding = 0) restrict readonly buffer X { QUAD x[]; };   // (H, W, 3C): q (scaled), k, v
layout(std430, binding = 0) restrict readonly buffer X8 { uvec4 x8[]; };
layout(std430, binding = 0) restrict readonly buffer X2 { uint x2[]; };
layout(std430, binding = 1) restrict writeonly buffer Y { QUAD y[]; };  // (H, W, C)
layout(std430, binding = 2) restrict readonly buffer Bias { vec4 bias[]; }; // [head][kind of column][kind of row][ROWS][2][invocation]
layout(push_constant) uniform Push { natten_coop_push p; };

const uint QY = 16 / QX, ROWS = QY + WINDOW - 1;
const uint STEPS = (D4 + 3) / 4;                                     // matrices along a head; a quad of each row
const uint PAIRS = (D4 + 3) / 8, SINGLE = (D4 + 7) / 8 - PAIRS;      // of matrices of values; one for the last 4 quads
const uint MATRICES = 2 * PAIRS + SINGLE, QUADS = 4 * PAIRS + 2 * SINGLE; // of sums; quads that an invocation has of them
const uint LANES = 32;
const float NONE = -1e30, LOWEST = -1e20, LOG2E = 1.4426950408889634;

#define SUM coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>
#define LEFT coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseB>

shared vec4 parts[SPLIT > 1 ? GX * GY * SPLIT * (QUADS + 1) * LANES : 1]; // [subgroup][sums; maxima and totals][invocation]

uint g, c;

uint window_start(uint i, uint n)
{
    return uint(clamp(int(i) - int(WINDOW / 2), 0, int(n - WINDOW)));
}

// An invocation's quads of a row of queries or keys. Beyond the head's last it is that one again: the queries' are zeros there.
void fetch_row(uint at, out QUAD quads[STEPS])
{
    [[unroll]] for (uint j = 0; j < STEPS; j++)
        if (OCTS) {
            uvec4 oct = x8[at / 2 + min(j / 2 * 4 + c, D4 / 2 - 1)];
            quads[j] = j % 2 == 0 ? oct.xy : oct.zw;
        } else {
            quads[j] = x[at + min(4 * j + c, D4 - 1)];
        }
}

bool has_quad(uint j)
{
    return OCTS ? 2 * (j / 2 * 4 + c) < D4 : 4 * j + c < D4;
}

// Quad u of an invocation: [pair][first or second][row], then of the single matrix [row].
void store(uint u, uint gx, uint gy, vec4 v)
{
    uint quad = u < 4 * PAIRS ? u / 4 * 8 + 2 * c + u / 2 % 2 : 8 * PAIRS + c, i = g + u % 2 * 8;
    uint column = gx * QX + i % QX, row = gy * QY + i / QX;
    if (quad >= D4 || column >= p.width || row >= p.height)
        return;
    uint to = p.out_offset + (row * p.width + column) * p.out_stride;
    y[to + gl_WorkGroupID.z * D4 + quad] = store_quad(v);
    if (p.pad == 1 && gl_WorkGroupID.z == 0 && quad == 0)
        y[to + p.quads] = store_quad(vec4(0.0));
}

void main()
{
    uint sg = gl_SubgroupID, lane = gl_SubgroupInvocationID, head = gl_WorkGroupID.z, split = sg % SPLIT, group = sg / SPLIT;
    g = lane / 4;
    c = lane % 4;
    // Groups beyond the map repeat the last one and are not stored.
    uint gx = gl_WorkGroupID.x * GX + group % GX, gy = gl_WorkGroupID.y * GY + group / GX;
    uint ax = min(gx, p.groups_x - 1), ay = min(gy, p.groups_y - 1);
    uint left = window_start(ax * QX, p.width), top = window_start(ay * QY, p.height);
    uint first = p.qkv_offset + head * D4, line = p.width * p.qkv_stride;
    uint kind_x = min(ax, p.first_x) + max(ax, p.last_x) - p.last_x, kind_y = min(ay, p.first_y) + max(ay, p.last_y) - p.last_y;
    uint bias_at = ((head * p.columns + kind_x) * p.rows + kind_y) * ROWS * 2 * LANES + lane;

    uint key_at[2], value_at[4];
    [[unroll]] for (uint r = 0; r < 2; r++)
        key_at[r] = first + p.quads + min(left + g + 8 * r, p.width - 1) * p.qkv_stride;
    [[unroll]] for (uint e = 0; e < 4; e++)
        value_at[e] = first + 2 * p.quads + min(left + 2 * c + e % 2 + e / 2 * 8, p.width - 1) * p.qkv_stride;

    LEFT q[STEPS];
    [[unroll]] for (uint r = 0; r < 2; r++) {
        uint i = g + 8 * r, column = min(ax * QX + i % QX, p.width - 1), row = min(ay * QY + i / QX, p.height - 1);
        QUAD quads[STEPS];
        fetch_row(first + row * line + column * p.qkv_stride, quads);
        [[unroll]] for (uint j = 0; j < STEPS; j++)
            [[unroll]] for (uint e = 0; e < 4; e += 2) {
                f16vec2 two = unpackFloat2x16(has_quad(j) ? quads[j][e / 2] : 0);
                q[j][4 * r + e] = two.x;
                q[j][4 * r + e + 1] = two.y;
            }
    }

    SUM o[MATRICES];
    [[unroll]] for (uint n = 0; n < MATRICES; n++)
        o[n] = SUM(0.0);
    vec2 most = vec2(LOWEST), total = vec2(0.0);
    [[dont_unroll]] for (uint row = split; row < ROWS; row += SPLIT * BATCH) {
        // All that is read of BATCH rows.
        QUAD keys[BATCH * 2 * STEPS], values[BATCH * 4 * (PAIRS > 0 ? PAIRS : 1)];
        uint rest[BATCH * 4];
        SUM s[BATCH];
        [[unroll]] for (uint i = 0; i < BATCH; i++) {
            uint at = min(top + row + i * SPLIT, p.height - 1) * line;
            [[unroll]] for (uint r = 0; r < 2; r++) {
                QUAD quads[STEPS];
                fetch_row(at + key_at[r], quads);
                [[unroll]] for (uint j = 0; j < STEPS; j++)
                    keys[(i * 2 + r) * STEPS + j] = quads[j];
                bool there = ROWS % (SPLIT * BATCH) == 0 || row + i * SPLIT < ROWS;
                vec4 b = there ? bias[bias_at + ((row + i * SPLIT) * 2 + r) * LANES] : vec4(NONE);
                [[unroll]] for (uint e = 0; e < 4; e++)
                    s[i][4 * r + e] = b[e];
            }
            [[unroll]] for (uint e = 0; e < 4; e++) {
                [[unroll]] for (uint n = 0; n < PAIRS; n++)
                    values[(i * 4 + e) * PAIRS + n] = x[at + value_at[e] + min(8 * n + g, D4 - 1)];
                if (SINGLE > 0)
                    rest[i * 4 + e] = x2[2 * (at + value_at[e] + min(8 * PAIRS + g / 2, D4 - 1)) + g % 2];
            }
        }

        vec2 m = most;
        [[unroll]] for (uint i = 0; i < BATCH; i++) {
            [[unroll]] for (uint j = 0; j < STEPS; j++) {
                RIGHT key;
                [[unroll]] for (uint r = 0; r < 2; r++)
                    [[unroll]] for (uint e = 0; e < 4; e += 2) {
                        f16vec2 two = unpackFloat2x16(keys[(i * 2 + r) * STEPS + j][e / 2]);
                        key[4 * r + e] = two.x;
                        key[4 * r + e + 1] = two.y;
                    }
                s[i] = coopMatMulAdd(q[j], key, s[i]);
            }
            [[unroll]] for (uint e = 0; e < 4; e++)
                m = max(m, vec2(s[i][e], s[i][4 + e]));
        }
        m = max(m, subgroupShuffleXor(m, 1));
        m = max(m, subgroupShuffleXor(m, 2));
        if (ROWS > SPLIT * BATCH) {
            vec2 less = exp2((most - m) * LOG2E);
            total *= less;
            [[unroll]] for (uint n = 0; n < MATRICES; n++)
                [[unroll]] for (uint e = 0; e < 8; e++)
                    o[n][e] *= less[e / 4];
        }
        most = m;
        [[unroll]] for (uint i = 0; i < BATCH; i++) {
            LEFT weight;
            [[unroll]] for (uint e = 0; e < 8; e++) {
                float w = exp2(fma(s[i][e], LOG2E, -m[e / 4] * LOG2E));
                total[e / 4] += w;
                weight[e] = float16_t(w);
            }
            [[unroll]] for (uint n = 0; n < MATRICES; n++) {
                RIGHT value;
                [[unroll]] for (uint e = 0; e < 4; e++) {
                    f16vec2 two = unpackFloat2x16(n < 2 * PAIRS ? values[(i * 4 + e) * PAIRS + n / 2][n % 2] : rest[i * 4 + e]);
                    value[e] = two.x;
                    value[4 + e] = two.y;
                }
                o[n] = coopMatMulAdd(weight, value, o[n]);
            }
        }
    }
    total += subgroupShuffleXor(total, 1);
    total += subgroupShuffleXor(total, 2);

    vec4 sums[QUADS];
    [[unroll]] for (uint u = 0; u < QUADS; u++) {
        uint r = 4 * (u % 2), i = r + u / 2 % 2, n = u / 4 * 2;
        sums[u] = n < 2 * PAIRS ? vec4(o[n][i], o[n][i + 2], o[n + 1][i], o[n + 1][i + 2]) : vec4(o[n][r], o[n][r + 2], o[n][r + 1], o[n][r + 3]);
    }
    if (SPLIT == 1) {
        [[unroll]] for (uint u = 0; u < QUADS; u++)
            store(u, gx, gy, sums[u] / total[u % 2]);
        return;
    }

    uint own = sg * (QUADS + 1) * LANES + lane, all = group * SPLIT * (QUADS + 1) * LANES + lane;
    [[unroll]] for (uint u = 0; u < QUADS; u++)
        parts[own + u * LANES] = sums[u];
    parts[own + QUADS * LANES] = vec4(most, total);
    barrier();
    vec2 m = vec2(LOWEST), scale[SPLIT];
    [[unroll]] for (uint k = 0; k < SPLIT; k++)
        m = max(m, parts[all + (k * (QUADS + 1) + QUADS) * LANES].xy);
    total = vec2(0.0);
    [[unroll]] for (uint k = 0; k < SPLIT; k++) {
        vec4 part = parts[all + (k * (QUADS + 1) + QUADS) * LANES];
        scale[k] = exp2((part.xy - m) * LOG2E);
        total += scale[k] * part.zw;
    }
    [[dont_unroll]] for (uint u = split; u < QUADS; u += SPLIT) {
        vec4 v = vec4(0.0);
        [[unroll]] for (uint k = 0; k < SPLIT; k++)
            v += (u % 2 == 0 ? scale[k].x : scale[k].y) * parts[all + (k * (QUADS + 1) + u) * LANES];
        store(u, gx, gy, v / (u % 2 == 0 ? total.x : total.y));
    }
}
