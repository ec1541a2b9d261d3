#version 450
// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution of odd size, padded by half its size: a workgroup loads a tile of pixels with its border into shared
// memory, QUADS quads of channels deep, then each invocation makes STRIP pixels side by side of one quad. Addresses and
// borders are worked out once a column instead of once a tap, and the kernel's rows are a loop: code that was not run for a while
// costs more than what unrolling saves.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128; // QUADS * ROWS * strips of a row
layout(constant_id = 1) const uint STRIP = 4;
layout(constant_id = 2) const uint QUADS = 8; // even
layout(constant_id = 3) const uint ROWS = 8;
layout(constant_id = 4) const uint KERNEL = 3;
layout(constant_id = 5) const uint ACT = ACT_NONE;
layout(constant_id = 6) const uint RESIDUAL = DWCONV_PLAIN;

// Input comes in 16 bytes.
#ifdef F16
#define PACK uvec4
const uint PACK_QUADS = 2;
#else
#define PACK vec4
const uint PACK_QUADS = 1;
#endif
const uint HALF = KERNEL / 2, SPAN = STRIP + KERNEL - 1;
const uint WIDTH = WG / QUADS / ROWS * STRIP;                   // pixels of the tile
const uint WIDE = WIDTH + KERNEL - 1, HIGH = ROWS + KERNEL - 1; // with the border
const uint PITCH = WIDE | 1;                                    // odd: neighbouring rows lie in different banks
const uint TAPS = KERNEL * KERNEL;
// Invocations that fill: packs of a pixel, then columns, then lines; each walks down its column.
const uint PACKS = QUADS / PACK_QUADS;
const uint COLUMNS = 2 * WIDTH < WG / PACKS ? 2 * WIDTH : WG / PACKS, LINES = WG / PACKS / COLUMNS;
const uint ACROSS = (WIDE + COLUMNS - 1) / COLUMNS, DOWN = (HIGH + LINES - 1) / LINES;
const uint TAP_LINES = WG / QUADS, TAP_DOWN = (TAPS + TAP_LINES - 1) / TAP_LINES;

layout(push_constant) uniform Push { dwconv_push p; };
layout(std430, binding = 0) readonly buffer X { PACK x[]; };
layout(std430, binding = 1) readonly buffer W { QUAD w[]; }; // [tap][cq], then float32 bias [cq]
layout(std430, binding = 2) readonly buffer R { QUAD r[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

shared QUAD tile[HIGH * PITCH * QUADS];
shared QUAD taps[TAPS * QUADS];

void store_pack(uint at, PACK v)
{
#ifdef F16
    tile[at] = v.xy;
    tile[at + 1] = v.zw;
#else
    tile[at] = v;
#endif
}

// The tile whose first output pixel is (x0, y0), from quad q0 on. Everything is loaded before anything is stored.
void fill(uint id, uint x0, uint y0, uint q0)
{
    PACK v[ACROSS * DOWN];
    QUAD t[TAP_DOWN];
    uint pack = id % PACKS, column = id / PACKS % COLUMNS, line = id / PACKS / COLUMNS;
    uint stride = p.x_stride / PACK_QUADS, pitch = p.w * stride;
    uint py = y0 + line - HALF; // above the map: huge
    bool real = q0 + pack * PACK_QUADS < p.cq;
    [[unroll]] for (uint i = 0; i < ACROSS; i++) {
        uint c = column + i * COLUMNS, px = x0 + c - HALF;
        uint at = py * pitch + px * stride + (p.x_offset + q0) / PACK_QUADS + pack;
        bool inside = real && c < WIDE && px < p.w;
        [[unroll]] for (uint j = 0; j < DOWN; j++) {
            v[i * DOWN + j] = PACK(0);
            if (inside && py + j * LINES < p.h)
                v[i * DOWN + j] = x[at + j * LINES * pitch];
        }
    }
    uint q = q0 + id % QUADS, tap = id / QUADS;
    [[unroll]] for (uint i = 0; i < TAP_DOWN; i++) {
        t[i] = QUAD(0);
        if (q < p.cq && tap + i * TAP_LINES < TAPS)
            t[i] = w[(tap + i * TAP_LINES) * p.cq + q];
    }
    [[unroll]] for (uint i = 0; i < ACROSS; i++)
        [[unroll]] for (uint j = 0; j < DOWN; j++)
            if (column + i * COLUMNS < WIDE && line + j * LINES < HIGH)
                store_pack(((line + j * LINES) * PITCH + column + i * COLUMNS) * QUADS + pack * PACK_QUADS, v[i * DOWN + j]);
    [[unroll]] for (uint i = 0; i < TAP_DOWN; i++)
        if (tap + i * TAP_LINES < TAPS)
            taps[id + i * WG] = t[i];
}

vec4 acc[STRIP];

// Row ky of the kernel on the row of the tile that begins at `at`; self is added to its middle tap.
void convolve_row(uint ky, uint at, uint l, float self)
{
    vec4 tap[KERNEL];
    [[unroll]] for (uint k = 0; k < KERNEL; k++)
        tap[k] = load_quad(taps[(ky * KERNEL + k) * QUADS + l]);
    if (RESIDUAL == DWCONV_SELF)
        tap[HALF] += ky == HALF ? self : 0.0;
    [[unroll]] for (uint j = 0; j < SPAN; j++) {
        vec4 v = load_quad(tile[at + j * QUADS]);
        [[unroll]] for (uint s = 0; s < STRIP; s++)
            if (j >= s && j - s < KERNEL)
                acc[s] = fma(v, tap[j - s], acc[s]);
    }
}

vec4 bias(uint q)
{
#ifdef F16
    return uintBitsToFloat(uvec4(w[p.params + 2 * q], w[p.params + 2 * q + 1]));
#else
    return w[p.params + q];
#endif
}

void main()
{
    uint id = gl_LocalInvocationIndex, l = id % QUADS, row = id / QUADS % ROWS, strip = id / QUADS / ROWS;
    uint q0 = gl_WorkGroupID.x * QUADS, x0 = gl_WorkGroupID.y * WIDTH, y0 = gl_WorkGroupID.z * ROWS;
    uint q = q0 + l, px = x0 + strip * STRIP, py = y0 + row, pixel = py * p.w + px;
    bool real = q < p.cq; // else padding: zeros
    vec4 start = real ? bias(q) : vec4(0);
    QUAD add[STRIP];
    [[unroll]] for (uint s = 0; s < STRIP; s++) {
        acc[s] = start;
        add[s] = QUAD(0);
        if (RESIDUAL == DWCONV_OTHER && real && py < p.h && px + s < p.w)
            add[s] = r[(pixel + s) * p.r_stride + p.r_offset + q];
    }
    fill(id, x0, y0, q0);
    barrier();
    uint at = (row * PITCH + strip * STRIP) * QUADS + l;
    // The number of rows is not a constant here, else drivers unroll a short loop all the same.
    [[dont_unroll]] for (uint ky = 0; ky < p.kernel; ky++, at += PITCH * QUADS)
        convolve_row(ky, at, l, real ? 1.0 : 0.0);
    [[unroll]] for (uint s = 0; s < STRIP; s++) {
        vec4 v = activate(acc[s], ACT);
        if (RESIDUAL == DWCONV_OTHER)
            v += load_quad(add[s]);
        if (q < p.nq && py < p.h && px + s < p.w)
            y[(pixel + s) * p.y_stride + p.y_offset + q] = store_quad(v);
    }
}
