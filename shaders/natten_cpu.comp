// SPDX-License-Identifier: Apache-2.0
// Neighborhood attention (natten.comp) for CPU drivers: keys and values straight from the tensor, no barrier, one key at a time, and
// as little code as that takes, because drivers translate it at its first use: the window is no constant, queries come and go in a loop.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // TX * TY
layout(constant_id = 1) const uint D4 = 8; // quads a head
layout(constant_id = 2) const uint NQ = 4; // queries of an invocation, one below the other
layout(constant_id = 3) const uint TX = 8;
layout(constant_id = 4) const uint TY = 2;

layout(std430, binding = 0) readonly buffer X { QUAD x[]; };  // (H, W, 3C): q (scaled), k, v
layout(std430, binding = 1) writeonly buffer Y { QUAD y[]; }; // (H, W, C)
layout(std430, binding = 2) readonly buffer Bias { float bias[]; }; // as in natten.comp
layout(push_constant) uniform Push { natten_push p; };

vec4 q[NQ * D4], acc[NQ * D4];
float largest[NQ], total[NQ]; // logit so far, sum of exponentials below it

uint window_start(uint i, uint n)
{
    return uint(clamp(int(i) - int(p.window / 2), 0, int(n - p.window)));
}

uint pixel_quad(uint row, uint column)
{
    return p.qkv_offset + (row * p.width + column) * p.qkv_stride + gl_WorkGroupID.y * D4;
}

// Those beyond the map repeat the last one. In a loop: each comes to the end, those before move up.
void load_queries(uint column, uint top)
{
    [[dont_unroll]] for (uint k = 0; k < NQ; k++) {
        uint at = pixel_quad(min(top + k, p.height - 1), column);
        [[unroll]] for (uint i = 0; i + D4 < NQ * D4; i++)
            q[i] = q[i + D4];
        [[unroll]] for (uint j = 0; j < D4; j++)
            q[(NQ - 1) * D4 + j] = load_quad(x[at + j]);
    }
    [[unroll]] for (uint k = 0; k < NQ; k++) {
        largest[k] = -1e30;
        total[k] = 0;
        [[unroll]] for (uint j = 0; j < D4; j++)
            acc[k * D4 + j] = vec4(0);
    }
}

// at: the key's first quad as if it were of q; by: its bias of query 0; sees: whether its row lies in a query's window.
void add_key(uint at, uint by, bool sees[NQ])
{
    float s[NQ];
    [[unroll]] for (uint k = 0; k < NQ; k++)
        s[k] = bias[by - k * (2 * p.window - 1)];
    [[unroll]] for (uint j = 0; j < D4; j++) {
        vec4 key = load_quad(x[at + p.quads + j]);
        [[unroll]] for (uint k = 0; k < NQ; k++)
            s[k] += dot(q[k * D4 + j], key);
    }
    float less[NQ], weight[NQ];
    [[unroll]] for (uint k = 0; k < NQ; k++) {
        float l = sees[k] ? s[k] : -3e38, top = max(largest[k], l);
        less[k] = exp(largest[k] - top);
        weight[k] = exp(l - top);
        total[k] = total[k] * less[k] + weight[k];
        largest[k] = top;
    }
    [[unroll]] for (uint j = 0; j < D4; j++) {
        vec4 value = load_quad(x[at + 2 * p.quads + j]);
        [[unroll]] for (uint k = 0; k < NQ; k++)
            acc[k * D4 + j] = acc[k * D4 + j] * less[k] + weight[k] * value;
    }
}

void store_results(uint column, uint top)
{
    [[dont_unroll]] for (uint row = top; row < min(top + NQ, p.height); row++) {
        uint to = p.out_offset + (row * p.width + column) * p.out_stride;
        [[unroll]] for (uint j = 0; j < D4; j++)
            y[to + gl_WorkGroupID.y * D4 + j] = store_quad(acc[j] / total[0]);
        if (p.pad == 1 && gl_WorkGroupID.y == 0)
            y[to + p.quads] = store_quad(vec4(0));
        [[unroll]] for (uint k = 0; k + 1 < NQ; k++) {
            total[k] = total[k + 1];
            [[unroll]] for (uint j = 0; j < D4; j++)
                acc[k * D4 + j] = acc[(k + 1) * D4 + j];
        }
    }
}

void main()
{
    uint tiles = (p.width + TX - 1) / TX, lane = gl_LocalInvocationID.x, side = 2 * p.window - 1;
    uint qx = gl_WorkGroupID.x % tiles * TX + lane % TX, top = (gl_WorkGroupID.x / tiles * TY + lane / TX) * NQ;
    uint cx = min(qx, p.width - 1), first[NQ];
    load_queries(cx, top);
    [[unroll]] for (uint k = 0; k < NQ; k++)
        first[k] = window_start(min(top + k, p.height - 1), p.height);
    uint column = window_start(cx, p.width), end = first[NQ - 1] + p.window;
    // Bias of row 0; wraps. With rows of zeros at both ends for keys that not all queries see.
    uint by = gl_WorkGroupID.y * side * (side + 2 * (NQ - 1)) + (NQ - 1 + p.window - 1 - min(top, p.height - 1)) * side + p.window - 1 +
              column - cx;
    for (uint row = first[0]; row < end; row++) {
        bool sees[NQ];
        [[unroll]] for (uint k = 0; k < NQ; k++)
            sees[k] = row - first[k] < p.window;
        for (uint i = 0; i < p.window; i++)
            add_key(pixel_quad(row, column) + i * p.qkv_stride, by + row * side + i, sees);
    }
    if (qx < p.width)
        store_results(qx, top);
}
