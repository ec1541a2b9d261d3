// SPDX-License-Identifier: Apache-2.0
// What the two passes over the tiles of the selective scan share.
//
// A sequence (direction k: 0 rows, 1 columns, 2 and 3 the same reversed) is cut into chunks of at most SIDE pixels, and
// the chunks of all four directions tile the map in SIDE x SIDE squares: row i of a tile is a chunk of the row scans,
// column j a chunk of the column scans. So one workgroup reads its pixels once, in place, for all directions.
//
//   h = a h + b,  a = exp(dt A),  b = dt B u,  dt = softplus(W_k z_k + bias_k),  y = sum over k of C h + D u
//
// z, of the first pass, holds (B, C, dt's low rank ...) of the four directions: (pixels, 4, RANKS) quads.
#ifndef SCAN_GLSL
#define SCAN_GLSL

#define SIDE 8
#define GROUP 128

layout(local_size_x = GROUP) in;
layout(constant_id = 0) const uint LANES = 16; // quads of channels a workgroup: 16 (one tile) or 8 (two tiles)
layout(constant_id = 1) const uint RANKS = 2;  // quads of z a direction

layout(push_constant) uniform PUSH { scan_tile_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) SCRATCH_ACCESS buffer SCRATCH { vec4 scratch[]; };
layout(std430, binding = 2) readonly buffer PARAMETERS { vec4 parameters[]; }; // W (4, 4 RANKS - 2, quads), bias, A log2(e) (4, quads), D (quads)

// A chunk: `count` pixels from `pixel` on, `stride` apart, and its place among the n chunks of its sequence.
struct chunk {
    uint pixel, stride, count, index, n;
};

// The chunk of this invocation along the rows (axis 0) or the columns (axis 1); count is 0 where the tile ends.
chunk chunk_of(uint axis, uvec2 tile, uint line)
{
    uvec2 size = uvec2(push.w, push.h);
    uvec2 tiles = (size + SIDE - 1) / SIDE;
    uvec2 first = tile * SIDE;
    uint along = axis, across = 1 - axis;
    uint place = first[across] + line; // row or column of the map
    chunk c;
    c.stride = axis == 0 ? 1 : push.w;
    c.pixel = axis == 0 ? place * push.w + first.x : first.y * push.w + place;
    c.count = place < size[across] && tile[along] < tiles[along] ? min(SIDE, size[along] - first[along]) : 0;
    c.index = place * tiles[along] + tile[along];
    c.n = tiles[along] * size[across];
    return c;
}

uint pixel_at(chunk c, uint i)
{
    return c.pixel + min(i, c.count - 1) * c.stride;
}

// log(1 + exp(v)) = max(v, 0) + 2 atanh(s), s = e / (2 + e), e = exp(-|v|): exact to rounding for every v, no log.
vec4 softplus(vec4 v)
{
    vec4 e = exp(-abs(v));
    vec4 s = e / (2.0 + e);
    vec4 t = s * s;
    vec4 p = 1.0 + t * (0.33333161 + t * (0.20012298 + t * (0.13982579 + t * 0.14078889)));
    return max(v, 0.0) + 2.0 * s * p;
}

void load_chunk(chunk c, uint quad, out vec4 u[SIDE])
{
    for (uint i = 0; i < SIDE; ++i)
        u[i] = load_quad(x[pixel_at(c, i) * push.x_stride + push.x_offset + quad]);
}

// dt and (B, C) of the chunk's pixels in direction k. Past its end dt is 0, which makes the step the identity.
void steps(chunk c, uint k, uint quad, out vec4 dt[SIDE], out vec2 bc[SIDE])
{
    uint biases = 4 * (4 * RANKS - 2) * push.quads;
    vec4 bias = parameters[biases + k * push.quads + quad];
    uint w = k * (4 * RANKS - 2) * push.quads + quad;
    vec4 w0 = parameters[w], w1 = parameters[w + push.quads];
    uint z[SIDE];
    for (uint i = 0; i < SIDE; ++i) {
        z[i] = (pixel_at(c, i) * 4 + k) * RANKS;
        vec4 v = scratch[z[i]];
        bc[i] = v.xy;
        dt[i] = bias + w0 * v.z + w1 * v.w;
    }
    w += 2 * push.quads;
    for (uint j = 1; j < RANKS; ++j) {
        w0 = parameters[w];
        w1 = parameters[w + push.quads];
        vec4 w2 = parameters[w + 2 * push.quads], w3 = parameters[w + 3 * push.quads];
        for (uint i = 0; i < SIDE; ++i) {
            vec4 v = scratch[z[i] + j];
            dt[i] += w0 * v.x + w1 * v.y + w2 * v.z + w3 * v.w;
        }
        w += 4 * push.quads;
    }
    for (uint i = 0; i < SIDE; ++i)
        dt[i] = i < c.count ? softplus(dt[i]) : vec4(0.0);
}

vec4 decay_rate(uint k, uint quad)
{
    return parameters[(4 * (4 * RANKS - 2) + 4 + k) * push.quads + quad];
}

vec4 skip_weight(uint quad)
{
    return parameters[(4 * (4 * RANKS - 2) + 8) * push.quads + quad];
}

// Where the chunk's product and state lie, in quads after push.products or push.states: (rows, rows reversed, columns,
// columns reversed) each in its own order of scanning.
uint state_at(chunk c, uint axis, bool reversed, uint quad)
{
    uint before = axis == 0 ? 0 : 2 * push.h * ((push.w + SIDE - 1) / SIDE);
    uint place = reversed ? 2 * c.n - 1 - c.index : c.index;
    return (before + place) * push.quads + quad;
}

#endif
