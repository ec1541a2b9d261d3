#version 450
// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution of odd size, padded by half its size: an invocation makes a block of ROWS x STRIP pixels of one
// quad of channels, so that neighbours in x and y share their loads. Neighbouring invocations take neighbouring quads. For
// CPU drivers and for maps so large that memory bounds them; the others take dwconv_tile.comp.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0, local_size_y_id = 1) in;
layout(constant_id = 0) const uint LANES = 32; // strips' quads of a row
layout(constant_id = 1) const uint LINES = 4;  // blocks' rows
layout(constant_id = 2) const uint STRIP = 4;
layout(constant_id = 3) const uint ROWS = 1;
layout(constant_id = 4) const uint CLAMP = 0; // pixels outside: 1 loads another and drops it, 0 branches
layout(constant_id = 5) const uint KERNEL = 3;
layout(constant_id = 6) const uint ACT = ACT_NONE;
layout(constant_id = 7) const uint RESIDUAL = DWCONV_PLAIN;
const uint HALF = KERNEL / 2, SPAN = STRIP + KERNEL - 1; // input pixels under a strip

layout(push_constant) uniform Push { dwconv_push p; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer W { QUAD w[]; }; // [tap][cq], then float32 bias [cq]
layout(std430, binding = 2) readonly buffer R { QUAD r[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

vec4 acc[ROWS * STRIP];
QUAD row[SPAN];

vec4 bias(uint q)
{
#ifdef F16
    return uintBitsToFloat(uvec4(w[p.params + 2 * q], w[p.params + 2 * q + 1]));
#else
    return w[p.params + q];
#endif
}

// Coordinates left of or above the map are huge.
void load_row(uint x0, uint py, uint q)
{
    uint line = CLAMP != 0 ? clamp(int(py), 0, int(p.h) - 1) : py, at = (line * p.w + x0) * p.x_stride + p.x_offset + q;
    [[unroll]] for (uint j = 0; j < SPAN; j++) {
        uint px = x0 + j - HALF;
        bool inside = py < p.h && px < p.w;
        if (CLAMP != 0) {
            QUAD v = x[at + (clamp(int(px), 0, int(p.w) - 1) - x0) * p.x_stride];
            row[j] = inside ? v : QUAD(0);
        } else {
            row[j] = QUAD(0);
            if (inside)
                row[j] = x[at + (j - HALF) * p.x_stride];
        }
    }
}

void convolve(uint x0, uint y0, uint q)
{
    vec4 tap[KERNEL * KERNEL];
    [[unroll]] for (uint i = 0; i < ROWS + KERNEL - 1; i++) {
        [[unroll]] for (uint t = 0; t < KERNEL; t++)
            if (i < KERNEL)
                tap[i * KERNEL + t] = load_quad(w[(i * KERNEL + t) * p.cq + q]);
        if (RESIDUAL == DWCONV_SELF && i == HALF)
            tap[HALF * KERNEL + HALF] += 1.0;
        load_row(x0, y0 + i - HALF, q);
        [[unroll]] for (uint j = 0; j < SPAN; j++) {
            vec4 v = load_quad(row[j]);
            // Input row i is kernel row i - k of output row k.
            [[unroll]] for (uint k = 0; k < ROWS; k++)
                [[unroll]] for (uint s = 0; s < STRIP; s++)
                    if (i >= k && i - k < KERNEL && j >= s && j - s < KERNEL)
                        acc[k * STRIP + s] = fma(v, tap[(i - k) * KERNEL + j - s], acc[k * STRIP + s]);
        }
    }
}

void main()
{
    uint id = gl_GlobalInvocationID.x, strip, low;
    umulExtended(2 * id, p.inverse, strip, low); // id / nq
    uint q = id - strip * p.nq, x0 = strip * STRIP, y0 = gl_GlobalInvocationID.y * ROWS;
    if (x0 >= p.w || y0 >= p.h)
        return;
    bool real = q < p.cq; // else padding: zeros
    vec4 start = real ? bias(q) : vec4(0);
    QUAD add[ROWS * STRIP];
    [[unroll]] for (uint i = 0; i < ROWS * STRIP; i++) {
        uint px = x0 + i % STRIP, py = y0 + i / STRIP;
        acc[i] = start;
        add[i] = QUAD(0);
        if (RESIDUAL == DWCONV_OTHER && real && px < p.w && py < p.h)
            add[i] = r[(py * p.w + px) * p.r_stride + p.r_offset + q];
    }
    if (real)
        convolve(x0, y0, q);
    [[unroll]] for (uint i = 0; i < ROWS * STRIP; i++) {
        uint px = x0 + i % STRIP, py = y0 + i / STRIP;
        vec4 v = activate(acc[i], ACT);
        if (RESIDUAL == DWCONV_OTHER)
            v += load_quad(add[i]);
        if (px < p.w && py < p.h)
            y[(py * p.w + px) * p.y_stride + p.y_offset + q] = store_quad(v);
    }
}
