// SPDX-License-Identifier: Apache-2.0
// Logits of a frame -> evidence over time, float32: with w the weight of the past in a cell,
//     evidence = logits + w (evidence - logits),    w = smooth (1 - smoothstep(LOW, HIGH, d)),
// d the largest difference (frame_motion.comp) of the cell and its eight neighbours: what moves next to a cell reaches
// into its logits. The picture that the difference is taken from is averaged by the same w, so that it always is the one
// that the evidence stands for: slow motion adds up instead of passing below the threshold. An
// invocation makes one quad of classes of a cell.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 64) in;

layout(std430, binding = 0) readonly buffer L { QUAD logits[]; };
layout(std430, binding = 1) buffer E { vec4 evidence[]; };
layout(std430, binding = 2) readonly buffer N { vec4 cells[]; };
layout(std430, binding = 3) buffer R { vec4 reference[]; };
layout(push_constant) uniform PUSH { frame_evidence_push p; };

float past(uint cell)
{
    ivec2 size = ivec2(p.grid_width, p.grid_height), at = ivec2(cell % p.grid_width, cell / p.grid_width);
    float d = 0.0;
    if (p.smoothing == 0.0)
        return 0.0;
    for (int y = max(at.y - 1, 0); y <= min(at.y + 1, size.y - 1); y++)
        for (int x = max(at.x - 1, 0); x <= min(at.x + 1, size.x - 1); x++)
            d = max(d, cells[4 * (p.first + uint(y * size.x + x)) + 3].x);
    return p.smoothing * (1.0 - smoothstep(FRAME_MOTION_LOW, FRAME_MOTION_HIGH, d));
}

void main()
{
    uint i = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * 64 + gl_LocalInvocationID.x;
    uint cell = i / p.quads, q = i % p.quads;
    if (cell >= p.grid_width * p.grid_height)
        return;
    float w = past(cell);
    uint at = p.first + cell, to = at * p.quads + q;
    vec4 v = load_quad(logits[p.offset4 + cell * p.stride4 + q]);
    evidence[to] = w > 0.0 ? v + w * (evidence[to] - v) : v; // what was there may be anything after a reset
    if (q != 0)
        return;
    for (uint k = 0; k < 3; k++) {
        vec4 now = cells[4 * at + k];
        reference[3 * at + k] = w > 0.0 ? now + w * (reference[3 * at + k] - now) : now;
    }
}
