// SPDX-License-Identifier: Apache-2.0
// Logits -> for each cell (the square between four logits, or beyond the border) the quads of classes that may win
// inside it, as 64 bits. Interpolation stays between the least and the largest corner: a class whose largest corner is
// below another one's least corner wins nowhere in the cell. Usually few classes are left for the label pass.
// LANES invocations share a cell, one for each quad.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint LANES = 64; // a power of two, at least the number of quads

layout(std430, binding = 0) readonly buffer L { QUAD logits[]; };
layout(std430, binding = 1) writeonly buffer O { uvec2 candidates[]; };
layout(push_constant) uniform PUSH { frame_candidates_push p; };

const float ROUNDING = 2e-6; // of an interpolation in float32, relative to the largest corner; generous
const float LOWEST = -3.402823466e38;

shared uint bound[64]; // of each cell of the group: a value that some class reaches everywhere in it, as a key
shared uint bits[64][2];

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

void main()
{
    uint q = gl_LocalInvocationID.x % LANES, local = gl_LocalInvocationID.x / LANES;
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint cell = group * (64 / LANES) + local, columns = p.grid_width + 1;
    bool used = cell < columns * (p.grid_height + 1) && 4 * q < p.classes;
    vec4 low = vec4(LOWEST), high = vec4(LOWEST);
    if (used) {
        ivec2 at = ivec2(cell % columns, cell / columns) - 1;
        vec4 a = corner(at, q), b = corner(at + ivec2(1, 0), q), c = corner(at + ivec2(0, 1), q), d = corner(at + ivec2(1, 1), q);
        vec4 margin = ROUNDING * max(max(abs(a), abs(b)), max(abs(c), abs(d)));
        bvec4 real = lessThan(4 * q + uvec4(0, 1, 2, 3), uvec4(p.classes));
        low = mix(low, min(min(a, b), min(c, d)) - margin, real);
        high = mix(high, max(max(a, b), max(c, d)) + margin, real);
    }
    if (q == 0) {
        bound[local] = 0;
        bits[local][0] = bits[local][1] = 0;
    }
    barrier();
    if (used)
        atomicMax(bound[local], key(largest(low)));
    barrier();
    if (used && key(largest(high)) >= bound[local])
        atomicOr(bits[local][q >> 5], 1u << (q & 31u));
    barrier();
    if (used && q == 0)
        candidates[cell] = uvec2(bits[local][0], bits[local][1]);
}
