#version 450
// SPDX-License-Identifier: Apache-2.0
// Selective scan of a small map, all after scan_steps in one pass. A workgroup scans CHANNELS channels over the whole map in all
// four directions: an invocation has CHUNK places of one channel along the rows or along the columns and scans them both ways.
// Chunks are joined by shuffles within a subgroup, subgroups in shared memory.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // 2 LINES CHANNELS, whole subgroups
layout(constant_id = 1) const uint LINES = 128;  // chunks of an order: a multiple of the subgroup's size
layout(constant_id = 2) const uint CHANNELS = 2; // even
layout(constant_id = 3) const uint SIZE = 32;    // of a subgroup
layout(constant_id = 4) const uint BLOCK = 16;   // places, a multiple of CHUNK
layout(constant_id = 5) const uint W = 32;       // the map: divisions by constants are cheap
layout(constant_id = 6) const uint H = 32;
#define CHUNK 8 // places: an oct
const uint PIXELS = W * H;
const bool PADDED = LINES * CHUNK != PIXELS;

layout(push_constant) uniform PUSH { scan_planes_push push; };
layout(std430, binding = 0) readonly buffer PLANES { uvec4 planes[]; };    // (blocks, planes, BLOCK); planes: u (2, rows), dt (4, rows), B and C (4, 2)
layout(std430, binding = 1) readonly buffer VECTORS { float vectors[]; };  // bias, A (4, width), D (width)
layout(std430, binding = 2) writeonly buffer Y { uint y[]; };              // pairs of channels
layout(std430, binding = 2) writeonly buffer YQ { QUAD yq[]; };

const uint SUBGROUPS = LINES / SIZE; // of a channel's order

shared vec2 totals[2 * 2 * CHANNELS * SUBGROUPS]; // product and state of a subgroup's chunks
shared float pool[CHANNELS * (PIXELS + H)];       // (channels, pixels): sums

uint lane, line, part; // line: chunk; part: subgroup of the channel's order
bool columns;

void load(uint row, out float v[CHUNK])
{
    const uint octs = BLOCK / CHUNK;
    uvec4 oct = planes[(line / octs * (6 * push.rows + 8) + row) * octs + line % octs];
    [[unroll]] for (uint j = 0; j < CHUNK / 2; j++) {
        vec2 two = unpackHalf2x16(oct[j]);
        v[2 * j] = two.x;
        v[2 * j + 1] = two.y;
    }
}

bool is_pixel(uint i)
{
    return !PADDED || line * CHUNK + i < PIXELS;
}

// a, b and C of direction k.
void load_steps(uint k, uint channel, const float u[CHUNK], out float a[CHUNK], out float b[CHUNK], out float to_y[CHUNK])
{
    float dt[CHUNK], to_state[CHUNK], rate = vectors[(4 + k) * push.width + min(channel, push.width - 1)];
    load((2 + k) * push.rows + channel, dt);
    load(6 * push.rows + 2 * k, to_state);
    load(6 * push.rows + 2 * k + 1, to_y);
    [[unroll]] for (uint i = 0; i < CHUNK; i++) {
        a[i] = is_pixel(i) ? exp2(dt[i] * rate) : 1.0;
        b[i] = is_pixel(i) ? dt[i] * to_state[i] * u[i] : 0.0;
    }
}

uint in_order(bool reversed, uint i)
{
    return reversed ? CHUNK - 1 - i : i;
}

// The lane that is d chunks earlier in the order of scanning, and whether there is one.
uint earlier(bool reversed, uint d)
{
    return (reversed ? lane + d : lane - d) % SIZE;
}
bool has_earlier(bool reversed, uint d)
{
    return reversed ? lane + d < SIZE : lane >= d;
}

// A stretch takes a state h to x h + y. Of the subgroup's chunks before this one; the whole subgroup's goes to `totals`.
vec2 stretch_before(bool reversed, uint total, const float a[CHUNK], const float b[CHUNK])
{
    vec2 s = vec2(1.0, 0.0);
    [[unroll]] for (uint j = 0; j < CHUNK; j++) {
        uint i = in_order(reversed, j);
        s = vec2(s.x * a[i], a[i] * s.y + b[i]);
    }
    [[unroll]] for (uint d = 1; d < SIZE; d *= 2) {
        vec2 e = subgroupShuffle(s, earlier(reversed, d));
        if (has_earlier(reversed, d))
            s = vec2(s.x * e.x, s.x * e.y + s.y);
    }
    if (lane == (reversed ? 0 : SIZE - 1))
        totals[total + part] = s;
    vec2 before = subgroupShuffle(s, earlier(reversed, 1));
    return has_earlier(reversed, 1) ? before : vec2(1.0, 0.0);
}

float state_before(bool reversed, uint total, vec2 before)
{
    float h = 0.0;
    [[unroll]] for (uint j = 0; j < SUBGROUPS; j++) {
        uint i = reversed ? SUBGROUPS - 1 - j : j;
        vec2 s = totals[total + i];
        if (reversed ? i > part : i < part)
            h = s.x * h + s.y;
    }
    return before.x * h + before.y;
}

void add_scan(bool reversed, float h, const float a[CHUNK], const float b[CHUNK], const float to_y[CHUNK], inout float sum[CHUNK])
{
    [[unroll]] for (uint j = 0; j < CHUNK; j++) {
        uint i = in_order(reversed, j);
        h = a[i] * h + b[i];
        sum[i] += to_y[i] * h;
    }
}

// Place of a pixel in the pool: rows and columns both spread over the banks.
uint pool_at(uint c, uint pixel)
{
    return c * (PIXELS + H) + pixel + pixel / W;
}

// The sums of the rows, then those of the columns too.
void join(uint c, const float sum[CHUNK])
{
    if (!columns)
        [[unroll]] for (uint i = 0; i < CHUNK; i++)
            if (is_pixel(i))
                pool[pool_at(c, line * CHUNK + i)] = sum[i];
    barrier();
    if (columns)
        [[unroll]] for (uint i = 0; i < CHUNK; i++) {
            uint position = line * CHUNK + i, pixel = position % H * W + position / H;
            if (is_pixel(i))
                pool[pool_at(c, pixel)] += sum[i];
        }
    barrier();
}

float sum_at(uint c, uint pixel)
{
    return pool[pool_at(c, pixel)];
}

void store(uint id, uint first)
{
    if (CHANNELS == 4) {
        for (uint pixel = id; pixel < PIXELS; pixel += gl_WorkGroupSize.x)
            yq[pixel * push.y_stride + push.y_offset + first / 4] =
                store_quad(vec4(sum_at(0, pixel), sum_at(1, pixel), sum_at(2, pixel), sum_at(3, pixel)));
        return;
    }
    const uint pairs = CHANNELS / 2;
    for (uint i = id; i < PIXELS * pairs; i += gl_WorkGroupSize.x) {
        uint pixel = i / pairs, c = 2 * (i % pairs), at = (pixel * push.y_stride + push.y_offset) * 4 + first + c;
        y[at / 2] = packHalf2x16(vec2(sum_at(c, pixel), sum_at(c + 1, pixel)));
    }
}

void main()
{
    uint id = gl_SubgroupID * SIZE + gl_SubgroupInvocationID, sequence = id / LINES, c = sequence / 2;
    uint channel = gl_WorkGroupID.x * CHANNELS + c, total = sequence * 2 * SUBGROUPS, k = sequence % 2;
    lane = gl_SubgroupInvocationID;
    line = id % LINES;
    part = line / SIZE;
    columns = k == 1;
    float u[CHUNK], a0[CHUNK], b0[CHUNK], y0[CHUNK], a1[CHUNK], b1[CHUNK], y2[CHUNK];
    load(k * push.rows + channel, u);
    load_steps(k, channel, u, a0, b0, y0);
    load_steps(k + 2, channel, u, a1, b1, y2);
    vec2 forth = stretch_before(false, total, a0, b0), back = stretch_before(true, total + SUBGROUPS, a1, b1);
    barrier();
    float d = columns ? 0.0 : vectors[8 * push.width + min(channel, push.width - 1)];
    [[unroll]] for (uint i = 0; i < CHUNK; i++)
        u[i] *= d;
    add_scan(false, state_before(false, total, forth), a0, b0, y0, u);
    add_scan(true, state_before(true, total + SUBGROUPS, back), a1, b1, y2, u);
    join(c, u);
    store(id, gl_WorkGroupID.x * CHANNELS);
}
