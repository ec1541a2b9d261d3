// SPDX-License-Identifier: Apache-2.0
// Neighborhood attention (reference: neighborhood_attention): each query attends to a WINDOW x WINDOW patch of keys
// around it, which is shifted, not padded, at the borders of the map, with a bias by key minus query.
//
// A workgroup does a tile of TX x (TY * NQ) queries of one head. An invocation holds NQ queries, one below the
// other: they share the columns of their windows, so a key is read once for all of them. It walks the rows of keys;
// SPLIT invocations share the rows. Keys and values come through shared memory in bands of BAND rows, or, BAND 0,
// straight from the tensor. CPU drivers take natten_cpu.comp.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // TX * TY * SPLIT
layout(constant_id = 1) const uint D4 = 8;
layout(constant_id = 2) const uint WINDOW = 7;
layout(constant_id = 3) const uint NQ = 1;
layout(constant_id = 4) const uint TX = 16;
layout(constant_id = 5) const uint TY = 8;
layout(constant_id = 6) const uint SPLIT = 1;
layout(constant_id = 7) const uint BAND = 0;
layout(constant_id = 8) const uint POOL = 1;
layout(constant_id = 9) const uint CHUNK = 7; // keys of a row between two looks at the maximum
const uint LANES = TX * TY;
#include "flash.glsl"

layout(std430, binding = 0) readonly buffer X { QUAD x[]; };  // (H, W, 3C): q (scaled), k, v
layout(std430, binding = 1) writeonly buffer Y { QUAD y[]; }; // (H, W, C)
// (heads, NQ - 1 + 2 WINDOW - 1 + NQ - 1, 2 WINDOW - 1): rows of zeros at both ends for keys that not all of an
// invocation's queries see.
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(push_constant) uniform Push { natten_push p; };

const uint BW = 2 * WINDOW - 1;
const uint BIAS = BW * (BW + 2 * (NQ - 1));
// The pool in a band: plane j holds quad j of the keys (then of the values), one quad a pixel of the band.
const uint SW = TX + WINDOW - 1;
const uint PLANE = (BAND * SW) | 1;

vec4 q[NQ * D4];

uint window_start(uint i, uint n)
{
    return uint(clamp(int(i) - int(WINDOW / 2), 0, int(n - WINDOW)));
}

uint pixel_quad(uint row, uint column)
{
    return p.qkv_offset + (row * p.width + column) * p.qkv_stride + gl_WorkGroupID.y * D4;
}

// Rows [row, row + BAND) of keys and values from column `left` on. What lies beyond the map is not used.
void stage(uint row, uint left)
{
    barrier();
    for (uint i = gl_LocalInvocationID.x; i < BAND * SW * 2 * D4; i += gl_WorkGroupSize.x) {
        uint j = i % D4, at = i / D4 % (BAND * SW), value = i / (D4 * BAND * SW);
        uint from = pixel_quad(min(row + at / SW, p.height - 1), min(left + at % SW, p.width - 1));
        pool[(value * D4 + j) * PLANE + at] = x[from + (1 + value) * p.quads + j];
    }
    barrier();
}

// Quad j of a key (value 0) or its value (1). `at`: in the pool its pixel of the band, else its first quad of q.
vec4 load(uint at, uint value, uint j)
{
    if (BAND > 0)
        return load_quad(pool[(value * D4 + j) * PLANE + at]);
    return load_quad(x[at + (1 + value) * p.quads + j]);
}

// `count` (1 .. CHUNK) keys of a row. at: the first; step: from key to key; by: the first's bias of query 0; sees: per
// query, whether the row lies in its window.
void chunk_of_keys(uint at, uint step, uint count, uint by, bool sees[NQ])
{
    float s[NQ * CHUNK];
    float top[NQ];
    [[unroll]] for (uint k = 0; k < NQ; k++)
        top[k] = flash_max[k];
    [[unroll]] for (uint i = 0; i < CHUNK; i++) {
        uint n = WINDOW % CHUNK == 0 ? i : min(i, count - 1);
        [[unroll]] for (uint k = 0; k < NQ; k++)
            s[k * CHUNK + i] = 0.0;
        [[unroll]] for (uint j = 0; j < D4; j++) {
            vec4 key = load(at + n * step, 0, j);
            [[unroll]] for (uint k = 0; k < NQ; k++)
                s[k * CHUNK + i] += dot(q[k * D4 + j], key);
        }
        [[unroll]] for (uint k = 0; k < NQ; k++) {
            bool seen = (NQ == 1 || sees[k]) && n == i;
            s[k * CHUNK + i] = seen ? s[k * CHUNK + i] + bias[by - k * BW + n] : FLASH_OUT;
            top[k] = max(top[k], s[k * CHUNK + i]);
        }
    }
    [[unroll]] for (uint k = 0; k < NQ; k++)
        flash_raise(k, top[k]);
    [[unroll]] for (uint i = 0; i < CHUNK; i++) {
        uint n = WINDOW % CHUNK == 0 ? i : min(i, count - 1);
        float e[NQ];
        [[unroll]] for (uint k = 0; k < NQ; k++) {
            e[k] = exp(s[k * CHUNK + i] - top[k]);
            flash_sum[k] += e[k];
        }
        [[unroll]] for (uint j = 0; j < D4; j++) {
            vec4 value = load(at + n * step, 1, j);
            [[unroll]] for (uint k = 0; k < NQ; k++)
                flash_acc[k * D4 + j] += e[k] * value;
        }
    }
}

void row_of_keys(uint at, uint step, uint by, bool sees[NQ])
{
    for (uint i = 0; i < WINDOW; i += CHUNK)
        chunk_of_keys(at + i * step, step, WINDOW - i, by + i, sees);
}

void main()
{
    uint head = gl_WorkGroupID.y, tiles = (p.width + TX - 1) / TX;
    uint x0 = gl_WorkGroupID.x % tiles * TX, y0 = gl_WorkGroupID.x / tiles * TY * NQ;
    uint lane = gl_LocalInvocationID.x % LANES, part = gl_LocalInvocationID.x / LANES;
    uint qx = x0 + lane % TX, qy = y0 + lane / TX * NQ;

    // Queries beyond the map repeat the last one and are not stored.
    uint cx = min(qx, p.width - 1);
    uint cy[NQ], first[NQ];
    [[unroll]] for (uint k = 0; k < NQ; k++) {
        cy[k] = min(qy + k, p.height - 1);
        first[k] = window_start(cy[k], p.height);
        [[unroll]] for (uint j = 0; j < D4; j++)
            q[k * D4 + j] = load_quad(x[pixel_quad(cy[k], cx) + j]);
    }
    uint column = window_start(cx, p.width), end = first[NQ - 1] + WINDOW;
    uint left = window_start(x0, p.width), top = window_start(y0, p.height);
    uint bottom = window_start(min(y0 + TY * NQ, p.height) - 1, p.height) + WINDOW;
    uint by = head * BIAS + (NQ - 1 + WINDOW - 1 - cy[0]) * BW + WINDOW - 1 + column - cx; // of row 0, wraps
    flash_init();

    uint rows = BAND > 0 ? BAND : bottom - top;
    for (uint band = top; band < bottom; band += rows) {
        if (BAND > 0)
            stage(band, left);
        uint row = max(band, first[0]);
        row += (SPLIT - (row - top) % SPLIT + part) % SPLIT;
        for (; row < min(band + rows, end); row += SPLIT) {
            bool sees[NQ];
            [[unroll]] for (uint k = 0; k < NQ; k++)
                sees[k] = row - first[k] < WINDOW;
            if (BAND > 0)
                row_of_keys((row - band) * SW + column - left, 1, by + row * BW, sees);
            else
                row_of_keys(pixel_quad(row, column), p.qkv_stride, by + row * BW, sees);
        }
    }
    flash_merge(lane, part);

    [[unroll]] for (uint k = 0; k < NQ; k++) {
        if (part != 0 || qx >= p.width || qy + k >= p.height)
            continue;
        uint to = p.out_offset + ((qy + k) * p.width + qx) * p.out_stride;
        [[unroll]] for (uint j = 0; j < D4; j++)
            y[to + head * D4 + j] = store_quad(flash_result(k, j));
        if (p.pad == 1 && head == 0)
            y[to + p.quads] = store_quad(vec4(0.0));
    }
}
