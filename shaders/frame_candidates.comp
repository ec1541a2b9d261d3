// SPDX-License-Identifier: Apache-2.0
// Logits -> for each cell (the square between four logits, or beyond the border) the quads of classes that may win
// inside it, as 64 bits. Interpolation stays between the least and the largest corner: a class whose largest corner is
// below another one's least corner wins nowhere in the cell. Usually few classes are left for the label pass.
// LANES invocations share CELLS cells of a row, one for each quad: neighbours share two of their corners.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = FRAME_CANDIDATES_WG) in;
layout(constant_id = 0) const uint LANES = 64; // a power of two, at least the number of quads

layout(std430, binding = 0) readonly buffer L { QUAD logits[]; };
layout(std430, binding = 1) writeonly buffer O { uvec2 candidates[]; };
layout(push_constant) uniform PUSH { frame_candidates_push p; };

const float ROUNDING = 2e-6; // of an interpolation in float32, relative to the largest corner; generous
const float LOWEST = -3.402823466e38;

const uint CELLS = FRAME_CANDIDATES_CELLS;
const uint STRIPS = FRAME_CANDIDATES_WG / LANES; // of a workgroup

shared uint bound[STRIPS * CELLS]; // of each cell: a value that some class reaches everywhere in it, as a key
shared uvec2 bits[STRIPS * CELLS];

// Whole numbers in the order of the floats.
uint key(float v)
{
    uint u = floatBitsToUint(v);
    return (u & 0x80000000u) != 0 ? ~u : u | 0x80000000u;
}

vec4 corner(ivec2 at, uint q)
{
    uvec2 i = uvec2(clamp(at, ivec2(0), ivec2(p.grid_width, p.grid_height) - 1));
    return load_quad(logits[p.offset4 + (i.y * p.grid_width + i.x) * p.stride4 + q]);
}

float largest(vec4 v)
{
    return max(max(v.x, v.y), max(v.z, v.w));
}

// Two logits, one above the other: the side of a cell.
struct side {
    vec4 low, high, size;
};

side side_at(ivec2 at, uint q)
{
    vec4 a = corner(at, q), b = corner(at + ivec2(0, 1), q);
    return side(min(a, b), max(a, b), max(abs(a), abs(b)));
}

void main()
{
    uint q = gl_LocalInvocationID.x % LANES, local = gl_LocalInvocationID.x / LANES;
    uint columns = p.grid_width + 1, strips = (columns + CELLS - 1) / CELLS;
    uint strip = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * STRIPS + local;
    uint row = strip / strips, first = strip % strips * CELLS;
    bool used = row <= p.grid_height && 4 * q < p.classes;
    side sides[CELLS + 1];
    if (used)
        [[unroll]] for (uint i = 0; i <= CELLS; i++)
            sides[i] = side_at(ivec2(first + i, row) - 1, q);
    if (q == 0)
        [[unroll]] for (uint i = 0; i < CELLS; i++) {
            bound[local * CELLS + i] = 0;
            bits[local * CELLS + i] = uvec2(0);
        }
    barrier();
    uint highest[CELLS];
    bvec4 real = lessThan(4 * q + uvec4(0, 1, 2, 3), uvec4(p.classes));
    if (used)
        [[unroll]] for (uint i = 0; i < CELLS; i++) {
            side a = sides[i], b = sides[i + 1];
            vec4 margin = ROUNDING * max(a.size, b.size);
            highest[i] = key(largest(mix(vec4(LOWEST), max(a.high, b.high) + margin, real)));
            atomicMax(bound[local * CELLS + i], key(largest(mix(vec4(LOWEST), min(a.low, b.low) - margin, real))));
        }
    barrier();
    if (used)
        [[unroll]] for (uint i = 0; i < CELLS; i++)
            if (highest[i] >= bound[local * CELLS + i])
                atomicOr(bits[local * CELLS + i][q >> 5], 1u << (q & 31u));
    barrier();
    if (used && q == 0)
        for (uint i = 0; i < CELLS && first + i < columns; i++)
            candidates[row * columns + first + i] = bits[local * CELLS + i];
}
