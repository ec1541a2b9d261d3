#version 450
// SPDX-License-Identifier: Apache-2.0
// Dense convolution for CPU drivers: no shared memory, no barriers. A subgroup is the vector of the processor: each
// lane makes TM pixels x TN quads of channels. A load costs far more than an addition there and is paid for each
// lane, so the lanes load different weights and tell each other; a shuffle by a constant is one instruction, where a
// broadcast is a loop (llvmpipe 22.3).
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 8; // invocations: one whole subgroup
layout(constant_id = 2) const uint TM = 4; // pixels of an invocation
layout(constant_id = 3) const uint TN = 8; // quads of channels of an invocation: a multiple of WG / 4
#include "conv.glsl"

const uint NB = 4 * TN / WG; // quads of W that a lane loads for a quad of k

vec4 acc[TM * TN];

// k: quad of k; address: of the lane's TM pixels' quads.
void multiply(uint k, uint n0, uint address[TM], bool valid[TM], uint c)
{
    uint lane = gl_SubgroupInvocationID;
    vec4 a[TM], b[NB];
    [[unroll]] for (uint i = 0; i < TM; i++) {
        a[i] = load_quad(x[address[i] + c]);
        if (PADDED != 0)
            a[i] = valid[i] ? a[i] : vec4(0);
    }
    [[unroll]] for (uint i = 0; i < NB; i++)
        b[i] = load_quad(w[(4 * k + (i * WG + lane) / TN) * p.nq + n0 + (i * WG + lane) % TN]);
    [[unroll]] for (uint j = 0; j < 4; j++)
        [[unroll]] for (uint n = 0; n < TN; n++) {
            vec4 v = subgroupShuffle(b[(j * TN + n) / WG], (j * TN + n) % WG);
            [[unroll]] for (uint i = 0; i < TM; i++)
                acc[i * TN + n] = fma(vec4(a[i][j]), v, acc[i * TN + n]);
        }
}

void main()
{
    uint lane = gl_SubgroupInvocationID;
    uint m0 = gl_WorkGroupID.y * WG * TM, n0 = gl_WorkGroupID.x * TN;
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        acc[i] = vec4(0);

    uint address[TM];
    bool valid[TM];
    if (LINEAR) {
        [[unroll]] for (uint i = 0; i < TM; i++)
            address[i] = min(m0 + i * WG + lane, p.m - 1) * p.x_stride + p.x_offset;
        for (uint c = 0; c < p.cq; c++)
            multiply(c, n0, address, valid, c);
    } else {
        uint k = 0;
        for (int tap = 0; tap < int(KERNEL * KERNEL); tap++) {
            [[unroll]] for (uint i = 0; i < TM; i++) {
                ivec2 q = window(m0 + i * WG + lane) + ivec2(tap % int(KERNEL), tap / int(KERNEL));
                ivec2 inside = clamp(q, ivec2(0), ivec2(p.in_w, p.in_h) - 1);
                valid[i] = q == inside;
                address[i] = (uint(inside.y) * p.in_w + uint(inside.x)) * p.x_stride + p.x_offset;
            }
            for (uint c = 0; c < p.cq; c++)
                multiply(k++, n0, address, valid, c);
        }
    }

    [[unroll]] for (uint i = 0; i < TM; i++)
        [[unroll]] for (uint n = 0; n < TN; n++)
            epilogue(m0 + i * WG + lane, n0 + n, acc[i * TN + n]);
}
