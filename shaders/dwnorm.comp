#version 450
// SPDX-License-Identifier: Apache-2.0
// Conditional position encoding and the layer norm after it in one pass: t = x + depthwise(x), y = norm(t). LANES
// invocations share STRIP neighbouring pixels and hold their channels in registers; t and y are both written.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SHUFFLE
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128;
layout(constant_id = 1) const uint LANES = 16;  // divides WG
layout(constant_id = 2) const uint QUADS = 1;   // of an invocation: LANES * QUADS quads cover a pixel
layout(constant_id = 3) const uint CLUSTER = 1; // invocations
layout(constant_id = 4) const uint STRIP = 2;   // pixels
layout(constant_id = 5) const uint NQ = 16;     // quads of a pixel of both outputs
layout(constant_id = 6) const uint C = 64;      // channels
layout(constant_id = 7) const uint KERNEL = 3;
#include "norm.glsl"
const uint SPAN = STRIP + KERNEL - 1, HALF = KERNEL / 2, TAPS = KERNEL * KERNEL;

layout(push_constant) uniform Push { dwnorm_push p; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer W { vec4 w[]; }; // [tap][NQ], x itself among them; bias, norm weight, norm bias [NQ]
layout(std430, binding = 2) writeonly buffer T { QUAD t[]; };
layout(std430, binding = 3) writeonly buffer Y { QUAD y[]; };

// Tap i of a pixel on an axis of so many pixels: where it is read, and whether it is there at all (else it counts as zero).
uint place(uint centre, uint i, uint size)
{
    return i < HALF ? max(centre, HALF - i) - (HALF - i) : min(centre + i - HALF, size - 1);
}

bool inside(uint centre, uint i, uint size)
{
    return i < HALF ? centre >= HALF - i : i == HALF || centre + i - HALF < size;
}

vec4 v[QUADS][STRIP], weight[QUADS], bias[QUADS];

// Depthwise convolution with the pixel itself, for quad q of the strip.
void convolve(uint i, uint q, uint px, uint py)
{
    uint column[SPAN];
    [[unroll]] for (uint j = 0; j < SPAN; j++)
        column[j] = place(px, j, p.w) * p.x_stride + min(q, CQ - 1);
    QUAD tile[KERNEL][SPAN];
    [[unroll]] for (uint ky = 0; ky < KERNEL; ky++) {
        uint row = place(py, ky, p.h) * p.w * p.x_stride + p.x_offset;
        [[unroll]] for (uint j = 0; j < SPAN; j++) {
            QUAD tap = x[row + column[j]];
            tile[ky][j] = inside(py, ky, p.h) && inside(px, j, p.w) ? tap : QUAD(0);
        }
    }
    [[unroll]] for (uint s = 0; s < STRIP; s++)
        v[i][s] = w[TAPS * NQ + q];
    [[unroll]] for (uint ky = 0; ky < KERNEL; ky++)
        [[unroll]] for (uint kx = 0; kx < KERNEL; kx++) {
            vec4 tap = w[(ky * KERNEL + kx) * NQ + q];
            [[unroll]] for (uint s = 0; s < STRIP; s++)
                v[i][s] = fma(load_quad(tile[ky][s + kx]), tap, v[i][s]);
        }
}

void main()
{
    uint lane = INVOCATION % LANES;
    uint first = (gl_WorkGroupID.x * (WG / LANES) + INVOCATION / LANES) * STRIP;
    uint px = min(first, p.w - 1), py = gl_WorkGroupID.y;
    [[unroll]] for (uint s = 0; s < STRIP; s++)
        start(s, load_quad(x[(py * p.w + place(px, s + HALF, p.w)) * p.x_stride + p.x_offset]).x);
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint q = lane + i * LANES;
        convolve(i, min(q, NQ - 1), px, py);
        weight[i] = w[(TAPS + 1) * NQ + min(q, NQ - 1)];
        bias[i] = w[(TAPS + 2) * NQ + min(q, NQ - 1)];
        [[unroll]] for (uint s = 0; s < STRIP; s++)
            add(s, q, v[i][s]);
    }
    normalise(p.eps);
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint q = lane + i * LANES;
        if (q >= NQ)
            return;
        [[unroll]] for (uint s = 0; s < STRIP; s++) {
            if (first + s >= p.w)
                break;
            uint at = (py * p.w + first + s) * NQ + q;
            t[at] = store_quad(v[i][s]);
            y[at] = store_quad((v[i][s] - norm[s].x) * norm[s].y * weight[i] + bias[i]);
        }
    }
}
