// SPDX-License-Identifier: Apache-2.0
// Global attention (reference: Attention.forward, last stage): softmax(q k^T + bias) v over all N = H * W tokens.
// The bias is a table (heads, side^2, side^2) resized bicubically (A = -0.75, borders repeated) to (heads, N, N),
// which never exists: the table comes resized along the queries, and along the keys an invocation slides a window of
// four columns over its query's row.
//
// A workgroup does LANES * NQ queries of one head, an invocation NQ of them; SPLIT invocations share the keys.
// Keys and values come through shared memory, TILE at a time.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // LANES * SPLIT
layout(constant_id = 1) const uint D4 = 8;
layout(constant_id = 2) const uint NQ = 1;
layout(constant_id = 3) const uint LANES = 128;
layout(constant_id = 4) const uint SPLIT = 1;
layout(constant_id = 5) const uint TILE = 32;  // a multiple of SPLIT * CHUNK
layout(constant_id = 6) const uint CHUNK = 4;  // keys between two looks at the maximum
layout(constant_id = 7) const uint POOL = 1;   // at least TILE * 2 * D4
layout(constant_id = 8) const bool ENLARGED = false; // N >= side^2
layout(constant_id = 9) const bool RESIDUAL = false;
#include "flash.glsl"

layout(std430, binding = 0) readonly buffer X { QUAD x[]; };  // (N, 3C): q (scaled), k
layout(std430, binding = 1) readonly buffer V { QUAD v[]; };  // (N, C)
layout(std430, binding = 2) writeonly buffer Y { QUAD y[]; }; // (N, C)
layout(std430, binding = 3) readonly buffer Bias { float bias[]; }; // (heads, side^2, N): column, query
layout(std430, binding = 4) readonly buffer R { QUAD r[]; };  // (N, C): added to the result
layout(push_constant) uniform Push { attention_push p; };

shared vec4 tap_weight[TILE];
shared int tap_first[TILE];

vec4 q[NQ * D4];

// Where position i of N falls on the table's axis: the first of four taps (-2 .. side - 2) and their weights.
int taps(uint i, out vec4 weight)
{
    const float a = -0.75;
    float at = float(p.side) / float(p.tokens) * (float(i) + 0.5) - 0.5;
    float t = at - floor(at);
    vec2 near = vec2(t, 1.0 - t), far = near + 1.0;
    near = ((a + 2.0) * near - (a + 3.0)) * near * near + 1.0;
    far = ((a * far - 5.0 * a) * far + 8.0 * a) * far - 4.0 * a;
    weight = vec4(far.x, near.x, near.y, far.y);
    return int(floor(at)) - 1;
}

// Keys [first, first + TILE), beyond the last token zeros, and their taps.
void stage(uint first)
{
    barrier();
    for (uint i = gl_LocalInvocationID.x; i < TILE * 2 * D4; i += gl_WorkGroupSize.x) {
        uint j = i % D4, value = i / D4 % 2, key = i / (2 * D4), n = first + key;
        QUAD quad = store_quad(vec4(0.0));
        if (n < p.tokens && value == 0)
            quad = x[p.qkv_offset + n * p.qkv_stride + p.quads + gl_WorkGroupID.y * D4 + j];
        if (n < p.tokens && value == 1)
            quad = v[p.v_offset + n * p.v_stride + gl_WorkGroupID.y * D4 + j];
        pool[i] = quad;
    }
    for (uint key = gl_LocalInvocationID.x; key < TILE; key += gl_WorkGroupSize.x)
        tap_first[key] = taps(min(first + key, p.tokens - 1), tap_weight[key]);
    barrier();
}

// The window of columns: tap[k] has columns next - 4 .. next - 1 of query k.
vec4 tap[NQ];
int next = -1000;
uint query[NQ];

void slide()
{
    uint column = gl_WorkGroupID.y * p.side + uint(clamp(next, 0, int(p.side) - 1));
    [[unroll]] for (uint k = 0; k < NQ; k++)
        tap[k] = vec4(tap[k].yzw, bias[column * p.tokens + query[k]]);
    next++;
}

// CHUNK keys of the pool from key `at` on; `valid` of them exist.
void chunk_of_keys(uint at, uint valid)
{
    float s[NQ * CHUNK];
    float top[NQ];
    [[unroll]] for (uint k = 0; k < NQ; k++)
        top[k] = flash_max[k];
    [[unroll]] for (uint i = 0; i < CHUNK; i++) {
        // Where the table is enlarged the window moves by at most one column a key.
        if (i == 0 || !ENLARGED) {
            while (next < tap_first[at + i] + 4)
                slide();
        } else if (next < tap_first[at + i] + 4) {
            slide();
        }
        [[unroll]] for (uint k = 0; k < NQ; k++)
            s[k * CHUNK + i] = dot(tap[k], tap_weight[at + i]);
        [[unroll]] for (uint j = 0; j < D4; j++) {
            vec4 key = load_quad(pool[(at + i) * 2 * D4 + j]);
            [[unroll]] for (uint k = 0; k < NQ; k++)
                s[k * CHUNK + i] += dot(q[k * D4 + j], key);
        }
        [[unroll]] for (uint k = 0; k < NQ; k++) {
            s[k * CHUNK + i] = i < valid ? s[k * CHUNK + i] : FLASH_OUT;
            top[k] = max(top[k], s[k * CHUNK + i]);
        }
    }
    [[unroll]] for (uint k = 0; k < NQ; k++)
        flash_raise(k, top[k]);
    [[unroll]] for (uint i = 0; i < CHUNK; i++) {
        float e[NQ];
        [[unroll]] for (uint k = 0; k < NQ; k++) {
            e[k] = exp(s[k * CHUNK + i] - top[k]);
            flash_sum[k] += e[k];
        }
        [[unroll]] for (uint j = 0; j < D4; j++) {
            vec4 value = load_quad(pool[(at + i) * 2 * D4 + D4 + j]);
            [[unroll]] for (uint k = 0; k < NQ; k++)
                flash_acc[k * D4 + j] += e[k] * value;
        }
    }
}

void main()
{
    uint head = gl_WorkGroupID.y;
    uint lane = gl_LocalInvocationID.x % LANES, part = gl_LocalInvocationID.x / LANES;
    uint first = gl_WorkGroupID.x * LANES * NQ + lane; // query k: first + k * LANES

    [[unroll]] for (uint k = 0; k < NQ; k++) {
        // Queries beyond the last repeat it and are not stored.
        query[k] = min(first + k * LANES, p.tokens - 1);
        [[unroll]] for (uint j = 0; j < D4; j++)
            q[k * D4 + j] = load_quad(x[p.qkv_offset + query[k] * p.qkv_stride + head * D4 + j]);
        tap[k] = vec4(0.0);
    }
    flash_init();

    for (uint tile = 0; tile < p.tokens; tile += TILE) {
        stage(tile);
        for (uint i = 0; i < TILE / SPLIT; i += CHUNK) {
            uint at = SPLIT == 1 ? i : part * (TILE / SPLIT) + i;
            if (tile + at >= p.tokens)
                break;
            next = max(next, tap_first[at]); // not over columns that no key of this part needs
            chunk_of_keys(at, p.tokens - tile - at);
        }
    }
    flash_merge(lane, part);

    [[unroll]] for (uint k = 0; k < NQ; k++) {
        uint n = first + k * LANES;
        if (part != 0 || n >= p.tokens)
            continue;
        [[unroll]] for (uint j = 0; j < D4; j++) {
            vec4 sum = flash_result(k, j);
            if (RESIDUAL)
                sum += load_quad(r[p.r_offset + n * p.r_stride + head * D4 + j]);
            y[p.out_offset + n * p.out_stride + head * D4 + j] = store_quad(sum);
        }
        if (p.pad == 1 && head == 0)
            y[p.out_offset + n * p.out_stride + p.quads] = store_quad(vec4(0.0));
    }
}
