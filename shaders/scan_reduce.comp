// SPDX-License-Identifier: Apache-2.0
// Selective scan, between the passes over the tiles, where a sequence has many chunks: sums up every segment of chunks.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"
#include "scan_carry.glsl"

void main()
{
    uint quad = gl_WorkGroupID.x * LANES + gl_LocalInvocationID.x % LANES;
    uint segment = gl_WorkGroupID.y * LINES + gl_LocalInvocationID.x / LANES;
    uint sequence = gl_WorkGroupID.z, n = chunks(sequence), first = segment * push.segment;
    if (quad >= push.quads || first >= n)
        return;
    stretch s = sum_of_chunks(sequence_at(sequence) + quad, first, min(first + push.segment, n));
    uint at = sum_at(sequence, segment, quad);
    scratch[at] = s.product;
    scratch[at + push.quads] = s.state;
}
