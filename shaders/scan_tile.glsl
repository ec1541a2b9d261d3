// SPDX-License-Identifier: Apache-2.0
// What the two passes over whole tiles of the selective scan share. Tiles as in scan.glsl, but a workgroup has all channels of
// its tile, and z of it in shared memory; an invocation scans a row or a column of one quad of channels, forth and back.
#ifndef SCAN_TILE_GLSL
#define SCAN_TILE_GLSL

#include "scan_math.glsl"

#define SIDE 8
#define PIXELS (SIDE * SIDE)
#define STEPS 4 // pixels of a line that are read together

layout(local_size_x_id = 0) in; // 2 SIDE LANES
layout(constant_id = 1) const uint LANES = 8; // quads of channels, those of the padding included
layout(constant_id = 2) const uint RANKS = 1; // quads of z a direction
const uint WG = 2 * SIDE * LANES, PLANES = 4 * RANKS;
const uint PITCH = LANES | 1; // of a pixel's quads in shared memory, so that pixels lie in different banks
const uint Z_ROW = SIDE + 1, Z_PLANE = SIDE * Z_ROW; // of z there, so that rows do

layout(push_constant) uniform PUSH { scan_whole_tile_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) Z_ACCESS buffer Z { QUAD z[]; }; // (PLANES, pixels)
layout(std430, binding = 2) readonly buffer PARAMETERS { vec4 weight[]; }; // W (4, RANKS, 4 quads)
layout(std430, binding = 3) readonly buffer VECTORS { vec4 vectors[]; };   // bias, A (4, quads), D (quads)
layout(std430, binding = 4) STATES_ACCESS buffer STATES { vec4 states[]; }; // (chunks, quads): product and state

shared QUAD zs[PLANES * Z_PLANE];

// The row or column of the tile that this invocation scans, of one quad: `count` pixels of it lie inside of the map. It
// begins at pixel `at` of the tile and at `z` of a plane in zs, with steps of at_step and z_step.
struct line {
    bool columns;
    uint quad, count;
    uint at, at_step, z, z_step;
    uint chunk, chunks, before; // its chunk of the sequence forth, that sequence's chunks, those of sequences before
};

uvec2 origin()
{
    return gl_WorkGroupID.xy * SIDE;
}

// The map's pixel that is pixel i of the tile; past the border the last one inside.
uint pixel_of(uint i)
{
    uvec2 at = min(origin() + uvec2(i % SIDE, i / SIDE), uvec2(push.w, push.h) - 1);
    return at.y * push.w + at.x;
}

line find_line()
{
    line l;
    uint which = gl_LocalInvocationID.x / LANES, i = which % SIDE;
    l.columns = which >= SIDE;
    l.quad = min(gl_LocalInvocationID.x % LANES, push.quads - 1); // padding repeats the last one
    uvec2 size = uvec2(push.w, push.h), from = origin(), tile = gl_WorkGroupID.xy, tiles = (size + SIDE - 1) / SIDE;
    // From here on x runs along the line, y across.
    uint n = tiles.x * size.y;
    l.z = l.columns ? i : i * Z_ROW;
    l.z_step = l.columns ? Z_ROW : 1;
    l.at = l.columns ? i : i * SIDE;
    l.at_step = l.columns ? SIDE : 1;
    l.before = l.columns ? 2 * n : 0;
    if (l.columns) {
        size = size.yx;
        from = from.yx;
        tile = tile.yx;
        tiles = tiles.yx;
        n = tiles.x * size.y;
    }
    l.chunks = n;
    l.chunk = (from.y + i) * tiles.x + tile.x;
    l.count = from.y + i < size.y ? min(SIDE, size.x - from.x) : 0;
    return l;
}

// Where the product of its chunk lies, forth or back; the state follows.
uint state_at(line l, uint way)
{
    uint chunk = way == 0 ? l.chunk : l.chunks + l.chunks - 1 - l.chunk;
    return ((l.before + chunk) * push.quads + l.quad) * 2;
}

QUAD z_at(line l, uint plane, uint i)
{
    return zs[plane * Z_PLANE + l.z + i * l.z_step];
}

// What the direction at hand computes with, of one quad.
uint first_plane; // of its z
vec4 bias, rate, step_weight[4 * RANKS];

void load_direction(line l, uint way)
{
    uint k = 2 * way + (l.columns ? 1 : 0);
    first_plane = k * RANKS;
    bias = vectors[k * push.quads + l.quad];
    rate = vectors[(4 + k) * push.quads + l.quad];
    [[unroll]] for (uint j = 0; j < 4 * RANKS; ++j)
        step_weight[j] = weight[((first_plane + j / 4) * push.quads + l.quad) * 4 + j % 4];
}

// Number in the line of the i-th pixel in the direction's order.
uint step_at(uint i, uint way)
{
    return way == 0 ? i : SIDE - 1 - i;
}

// a, b and C of the pixel with number i in the line. Past its end a is 1 and b is 0.
void step_of(line l, uint i, vec4 u, out vec4 a, out vec4 b, out float to_y)
{
    vec4 q = load_quad(z_at(l, first_plane, i)), v = bias;
    v += vec4(dot(step_weight[0].zw, q.zw), dot(step_weight[1].zw, q.zw), dot(step_weight[2].zw, q.zw), dot(step_weight[3].zw, q.zw));
    [[unroll]] for (uint j = 1; j < RANKS; ++j) {
        vec4 r = load_quad(z_at(l, first_plane + j, i));
        v += vec4(dot(step_weight[4 * j], r), dot(step_weight[4 * j + 1], r), dot(step_weight[4 * j + 2], r), dot(step_weight[4 * j + 3], r));
    }
    vec4 dt = i < l.count ? softplus(v) : vec4(0.0);
    a = exp2(dt * rate);
    b = dt * q.x * u;
    to_y = q.y;
}

#endif
