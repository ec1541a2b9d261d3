// SPDX-License-Identifier: Apache-2.0
// What the two passes over the tiles of the selective scan share.
//
// A sequence (direction k: 0 rows, 1 columns, 2 and 3 the same reversed) is cut into chunks of at most SIDE pixels, and
// the chunks of all four directions tile the map in SIDE x SIDE squares: row i of a tile is a chunk of the row scans,
// column j a chunk of the column scans. So one workgroup reads its pixels once, in place, for all directions.
//
//   h = a h + b,  a = exp(dt A),  b = dt B u,  dt = softplus(W_k z_k + bias_k),  y = sum over k of C h + D u
//
// z, of the first pass, holds (B, C, dt's low rank ...) of the four directions: (pixels, 4, ranks) quads.
#ifndef SCAN_GLSL
#define SCAN_GLSL

#define SIDE 8
#define GROUP 128

layout(local_size_x = GROUP) in;
layout(constant_id = 0) const uint LANES = 16; // quads of channels a workgroup: 16 (one tile) or 8 (two tiles)

layout(push_constant) uniform PUSH { scan_tile_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) SCRATCH_ACCESS buffer SCRATCH { vec4 scratch[]; };
layout(std430, binding = 2) readonly buffer PARAMETERS { vec4 parameters[]; }; // W (4, 4 ranks - 2, quads), bias, A log2(e) (4, quads), D (quads)

// Where this invocation works: `line` is a row of the tile for the row scans, a column for the column scans.
struct place {
    uvec2 tile;      // column, row
    uint line, quad; // quad of the output's; beyond those of the channels: padding
};

place find_place()
{
    uint line = gl_LocalInvocationID.x / LANES;
    uvec2 tile = uvec2(gl_WorkGroupID.y * (GROUP / (SIDE * LANES)) + line / SIDE, gl_WorkGroupID.z);
    return place(tile, line % SIDE, gl_WorkGroupID.x * LANES + gl_LocalInvocationID.x % LANES);
}

// The quad to compute with: lanes of the padding repeat the last one.
uint computed_quad(place at)
{
    return min(at.quad, push.quads - 1);
}

// Its chunk of a sequence, in the order of scanning: `count` pixels from `pixel` on, `stride` apart (modulo 2^32: a
// reversed sequence steps back). count is 0 outside of the map.
struct chunk {
    uint k, pixel, stride, count;
    uint state; // where its product and its state lie, in quads after push.products and push.states
};

// sequence: 0 rows, 1 rows reversed, 2 columns, 3 columns reversed. Their states lie one after the other.
chunk chunk_of(uint sequence, place at)
{
    bool columns = sequence >= 2, reversed = sequence % 2 == 1;
    uvec2 size = uvec2(push.w, push.h), tiles = (size + SIDE - 1) / SIDE, step = uvec2(1, push.w), tile = at.tile;
    uint before = 0, n = tiles.x * size.y; // chunks
    if (columns) {
        before = 2 * n;
        size = size.yx;
        tiles = tiles.yx;
        step = step.yx;
        tile = tile.yx;
        n = tiles.x * size.y;
    }
    // From here on x runs along the sequence, y across.
    uint first = tile.x * SIDE, across = tile.y * SIDE + at.line, index = across * tiles.x + tile.x;
    chunk c;
    c.k = sequence / 2 + sequence % 2 * 2;
    c.count = across < size.y && first < size.x ? min(SIDE, size.x - first) : 0;
    c.pixel = across * step.y + first * step.x;
    c.stride = step.x;
    if (reversed) {
        c.pixel += (c.count - 1) * c.stride;
        c.stride = 0 - c.stride;
        before += n;
        index = n - 1 - index;
    }
    c.state = (before + index) * push.quads + computed_quad(at);
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
    [[unroll]] for (uint i = 0; i < SIDE; ++i)
        u[i] = load_quad(x[pixel_at(c, i) * push.x_stride + push.x_offset + quad]);
}

// Quad j of z of the chunk's pixels: lanes of a line read the same.
void load_z(chunk c, uint j, out vec4 z[SIDE])
{
    [[unroll]] for (uint i = 0; i < SIDE; ++i)
        z[i] = scratch[(pixel_at(c, i) * 4 + c.k) * push.ranks + j];
}

// dt and (B, C) of the chunk's pixels. Past its end dt is 0, which makes the step the identity.
void steps(chunk c, uint quad, out vec4 dt[SIDE], out vec2 bc[SIDE])
{
    uint biases = 4 * (4 * push.ranks - 2) * push.quads, w = c.k * (4 * push.ranks - 2) * push.quads + quad;
    vec4 bias = parameters[biases + c.k * push.quads + quad];
    vec4 w0 = parameters[w], w1 = parameters[w + push.quads];
    vec4 z[SIDE];
    load_z(c, 0, z);
    [[unroll]] for (uint i = 0; i < SIDE; ++i) {
        bc[i] = z[i].xy;
        dt[i] = bias + w0 * z[i].z + w1 * z[i].w;
    }
    w += 2 * push.quads;
    for (uint j = 1; j < push.ranks; ++j) {
        w0 = parameters[w];
        w1 = parameters[w + push.quads];
        vec4 w2 = parameters[w + 2 * push.quads], w3 = parameters[w + 3 * push.quads];
        load_z(c, j, z);
        [[unroll]] for (uint i = 0; i < SIDE; ++i)
            dt[i] += w0 * z[i].x + w1 * z[i].y + w2 * z[i].z + w3 * z[i].w;
        w += 4 * push.quads;
    }
    [[unroll]] for (uint i = 0; i < SIDE; ++i)
        dt[i] = i < c.count ? softplus(dt[i]) : vec4(0.0);
}

vec4 decay_rate(uint k, uint quad)
{
    return parameters[(4 * (4 * push.ranks - 2) + 4 + k) * push.quads + quad];
}

vec4 skip_weight(uint quad)
{
    return parameters[(4 * (4 * push.ranks - 2) + 8) * push.quads + quad];
}

#endif
