// SPDX-License-Identifier: Apache-2.0
// Rotary positions of a qkv tensor: q and k of each head are turned in pairs of neighbouring channels, the first
// half of a head's channels by the row, the second by the column; q is then scaled; v is copied.
// One invocation a quad, that is two pairs.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 128) in;

layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) writeonly buffer Y { QUAD y[]; };
// (max(H, W), d / 4): cosine and sine of position * angle; rows and columns share the angles.
layout(std430, binding = 2) readonly buffer Turns { vec2 turns[]; };

layout(push_constant) uniform Push { rope_push p; };

// Pair t of a head at a pixel: the first d/4 pairs follow the row.
vec2 turn(uint t, uint pixel)
{
    bool by_row = t < p.head_quads;
    uint position = by_row ? pixel / p.width : pixel % p.width;
    return turns[position * p.head_quads + (by_row ? t : t - p.head_quads)];
}

vec2 rotate(vec2 v, vec2 t)
{
    return vec2(v.x * t.x - v.y * t.y, v.y * t.x + v.x * t.y);
}

void main()
{
    uint i = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    uint pixel = i / p.out_quads, quad = i % p.out_quads;
    if (pixel >= p.pixels)
        return;
    vec4 v = vec4(0.0);
    if (quad < 3 * p.quads)
        v = load_quad(x[p.in_offset + pixel * p.in_stride + quad]);
    if (quad < 2 * p.quads) {
        uint t = 2 * (quad % p.quads % p.head_quads);
        v = vec4(rotate(v.xy, turn(t, pixel)), rotate(v.zw, turn(t + 1, pixel)));
        v *= quad < p.quads ? p.scale : 1.0;
    }
    y[p.out_offset + pixel * p.out_stride + quad] = store_quad(v);
}
