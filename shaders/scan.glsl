// SPDX-License-Identifier: Apache-2.0
// What the two passes over the tiles of the selective scan share.
//
// A sequence is cut into chunks of at most SIDE pixels, and the chunks of all four directions tile the map in SIDE x SIDE
// squares: row i of a tile is a chunk of the row scans, column j a chunk of the column scans. So one workgroup reads its
// pixels once, in place, for all directions: an invocation scans one chunk of one quad of channels.
#ifndef SCAN_GLSL
#define SCAN_GLSL

#include "scan_math.glsl"

#define SIDE 8

layout(local_size_x_id = 0) in; // 4 SIDE LANES
layout(constant_id = 1) const uint LANES = 4; // quads of channels a workgroup
layout(constant_id = 2) const uint RANKS = 1; // quads of z a direction

layout(push_constant) uniform PUSH { scan_tile_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer Z { QUAD z[]; };
layout(std430, binding = 2) readonly buffer PARAMETERS { vec4 weight[]; }; // W (4, RANKS, 4 quads)
layout(std430, binding = 3) readonly buffer VECTORS { vec4 vectors[]; };   // bias, A (4, quads), D (quads)
layout(std430, binding = 4) STATES_ACCESS buffer STATES { vec4 states[]; }; // (chunks, quads): product and state

// Where this invocation works: `line` is a row of the tile for the row scans, a column for the column scans.
struct place {
    uvec2 tile;        // column, row
    uint sequence;     // 0 rows, 1 rows reversed, 2 columns, 3 columns reversed
    uint line, quad;   // quad of the output's; beyond those of the channels: padding
};

place find_place()
{
    uint line = gl_LocalInvocationID.x / LANES, quad = gl_WorkGroupID.x * LANES + gl_LocalInvocationID.x % LANES;
    return place(gl_WorkGroupID.yz, line / SIDE, line % SIDE, quad);
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
    uint state; // where its product lies; its state follows
};

// The states of the sequences lie one after the other.
chunk chunk_of(place at)
{
    bool columns = at.sequence >= 2, reversed = at.sequence % 2 == 1;
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
    c.k = at.sequence / 2 + at.sequence % 2 * 2;
    c.count = across < size.y && first < size.x ? min(SIDE, size.x - first) : 0;
    c.pixel = across * step.y + first * step.x;
    c.stride = step.x;
    if (reversed) {
        c.pixel += (c.count - 1) * c.stride;
        c.stride = 0 - c.stride;
        before += n;
        index = n - 1 - index;
    }
    c.state = ((before + index) * push.quads + computed_quad(at)) * 2;
    return c;
}

uint pixel_at(chunk c, uint i)
{
    return c.pixel + min(i, c.count - 1) * c.stride;
}

// a, b and C of the chunk's pixels. Past its end a is 1 and b is 0.
void load_steps(chunk c, uint quad, out vec4 a[SIDE], out vec4 b[SIDE], out float to_y[SIDE])
{
    float to_state[SIDE];
    vec4 u[SIDE];
    [[unroll]] for (uint i = 0; i < SIDE; ++i) {
        u[i] = load_quad(x[pixel_at(c, i) * push.x_stride + push.x_offset + quad]);
        a[i] = vectors[c.k * push.quads + quad];
    }
    [[unroll]] for (uint j = 0; j < RANKS; ++j) {
        uint plane = c.k * RANKS + j, w = (plane * push.quads + quad) * 4;
        vec4 w0 = weight[w], w1 = weight[w + 1], w2 = weight[w + 2], w3 = weight[w + 3];
        [[unroll]] for (uint i = 0; i < SIDE; ++i) {
            vec4 q = load_quad(z[plane * push.plane + pixel_at(c, i)]);
            if (j == 0) {
                to_state[i] = q.x;
                to_y[i] = q.y;
            }
            if (j == 0)
                a[i] += vec4(dot(w0.zw, q.zw), dot(w1.zw, q.zw), dot(w2.zw, q.zw), dot(w3.zw, q.zw));
            else
                a[i] += vec4(dot(w0, q), dot(w1, q), dot(w2, q), dot(w3, q));
        }
    }
    vec4 rate = vectors[(4 + c.k) * push.quads + quad];
    [[unroll]] for (uint i = 0; i < SIDE; ++i) {
        vec4 dt = i < c.count ? softplus(a[i]) : vec4(0.0);
        a[i] = exp2(dt * rate);
        b[i] = dt * to_state[i] * u[i];
    }
}

#endif
