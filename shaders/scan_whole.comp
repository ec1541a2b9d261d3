// SPDX-License-Identifier: Apache-2.0
// Selective scan of a small map, all after z in one pass: a workgroup scans PAIRS pairs of channels over the whole map in
// all four directions. Half of its invocations hold a chunk of CHUNK pixels along the rows each, half along the columns,
// and scan it both ways; the chunks are joined in shared memory. So every exponential is taken once.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // 2 LINES
layout(constant_id = 1) const uint LINES = 16;
layout(constant_id = 2) const uint CHUNK = 4;
layout(constant_id = 3) const uint PAIRS = 1;
layout(constant_id = 4) const uint RANKS = 1; // quads of z a direction
layout(constant_id = 5) const uint POOL = 144;
const uint N = CHUNK * PAIRS;

#define STATE vec2
const uint WIDTH = PAIRS, SEQUENCE = LINES, ENTRIES = 4 * LINES;
#include "scan_join.glsl"
#include "scan_math.glsl"

layout(push_constant) uniform PUSH { scan_whole_push push; };
layout(std430, binding = 0) readonly buffer X { PAIR x[]; };
layout(std430, binding = 1) readonly buffer Z { QUAD z[]; };
layout(std430, binding = 2) readonly buffer PARAMETERS { vec4 weight[]; }; // W (4, RANKS, channels)
layout(std430, binding = 3) readonly buffer VECTORS { vec2 vectors[]; };   // bias, A (4, pairs), D (pairs)
layout(std430, binding = 4) writeonly buffer Y { PAIR y[]; };

// Place of a pixel in the pool: chunks along rows and along columns both spread over the banks.
uint pixel_at(uint pixel)
{
    return (pixel + pixel / 4 + pixel / push.w / 4) * PAIRS;
}

struct chunk {
    uint line;
    bool columns;
    uint pair; // first pair of channels
};

uint pixel_of(chunk c, uint i)
{
    uint position = c.line * CHUNK + i;
    return c.columns ? position % push.h * push.w + position / push.h : position;
}
bool is_pixel(chunk c, uint i)
{
    return c.line * CHUNK + i < push.pixels;
}

const uint WEIGHTS = RANKS * 2 * PAIRS; // of a direction
shared vec4 weights[4 * WEIGHTS];

// The chunk's pixels; the weights go to shared memory.
void load_pixels(chunk c, out vec2 u[N])
{
    for (uint i = gl_LocalInvocationID.x; i < 4 * WEIGHTS; i += gl_WorkGroupSize.x)
        weights[i] = weight[(i / (2 * PAIRS) * push.pairs + c.pair) * 2 + i % (2 * PAIRS)];
    for (uint p = gl_LocalInvocationID.x; p < push.pixels; p += gl_WorkGroupSize.x)
        [[unroll]] for (uint v = 0; v < PAIRS; ++v)
            pool[pixel_at(p) + v] = load_pair(x[(p * push.x_stride + push.x_offset) * 2 + c.pair + v]);
    barrier();
    [[unroll]] for (uint i = 0; i < CHUNK; ++i)
        [[unroll]] for (uint v = 0; v < PAIRS; ++v)
            u[i * PAIRS + v] = is_pixel(c, i) ? pool[pixel_at(pixel_of(c, i)) + v] : vec2(0.0);
}

// a, b and C of the chunk in direction k. Past the last pixel a is 1 and b is 0.
void load_steps(chunk c, uint k, const vec2 u[N], out vec2 a[N], out vec2 b[N], out float to_y[CHUNK])
{
    float to_state[CHUNK];
    [[unroll]] for (uint i = 0; i < CHUNK; ++i)
        [[unroll]] for (uint v = 0; v < PAIRS; ++v)
            a[i * PAIRS + v] = vectors[k * push.pairs + c.pair + v];
    [[unroll]] for (uint j = 0; j < RANKS; ++j) {
        uint plane = k * RANKS + j, w = plane * 2 * PAIRS;
        [[unroll]] for (uint i = 0; i < CHUNK; ++i) {
            vec4 q = load_quad(z[plane * push.plane + i * LINES + c.line]);
            if (j == 0) {
                to_state[i] = q.x;
                to_y[i] = q.y;
            }
            [[unroll]] for (uint v = 0; v < PAIRS; ++v)
                if (j == 0)
                    a[i * PAIRS + v] += vec2(dot(weights[w + 2 * v].zw, q.zw), dot(weights[w + 2 * v + 1].zw, q.zw));
                else
                    a[i * PAIRS + v] += vec2(dot(weights[w + 2 * v], q), dot(weights[w + 2 * v + 1], q));
        }
    }
    [[unroll]] for (uint i = 0; i < CHUNK; ++i)
        [[unroll]] for (uint v = 0; v < PAIRS; ++v) {
            uint at = i * PAIRS + v;
            vec2 dt = softplus(a[at]);
            bool live = is_pixel(c, i);
            a[at] = live ? exp2(dt * vectors[(4 + k) * push.pairs + c.pair + v]) : vec2(1.0);
            b[at] = live ? dt * to_state[i] * u[at] : vec2(0.0);
        }
}

// The chunk's stretch in the order of scanning goes to its entry.
void put_stretch(bool reversed, uint entry, const vec2 a[N], const vec2 b[N])
{
    [[unroll]] for (uint v = 0; v < PAIRS; ++v) {
        vec2 product = vec2(1.0), state = vec2(0.0);
        [[unroll]] for (uint i = 0; i < CHUNK; ++i) {
            uint at = (reversed ? CHUNK - 1 - i : i) * PAIRS + v;
            state = a[at] * state + b[at];
            product *= a[at];
        }
        pool[entry_at(entry, v)] = product;
        pool[entry_at(entry, v) + 1] = state;
    }
}

void add_scan(bool reversed, uint entry, const vec2 a[N], const vec2 b[N], const float to_y[CHUNK], inout vec2 sum[N])
{
    [[unroll]] for (uint v = 0; v < PAIRS; ++v) {
        vec2 state = pool[entry_at(entry, v) + 1];
        [[unroll]] for (uint j = 0; j < CHUNK; ++j) {
            uint i = reversed ? CHUNK - 1 - j : j;
            state = a[i * PAIRS + v] * state + b[i * PAIRS + v];
            sum[i * PAIRS + v] += to_y[i] * state;
        }
    }
}

// The sum of the rows and the columns.
void store(chunk c, const vec2 sum[N])
{
    barrier();
    if (!c.columns)
        [[unroll]] for (uint i = 0; i < CHUNK; ++i)
            [[unroll]] for (uint v = 0; v < PAIRS; ++v)
                if (is_pixel(c, i))
                    pool[pixel_at(pixel_of(c, i)) + v] = sum[i * PAIRS + v];
    barrier();
    if (c.columns)
        [[unroll]] for (uint i = 0; i < CHUNK; ++i) {
            uint p = pixel_of(c, i);
            [[unroll]] for (uint v = 0; v < PAIRS; ++v)
                if (is_pixel(c, i))
                    y[(p * push.y_stride + push.y_offset) * 2 + c.pair + v] = store_pair(pool[pixel_at(p) + v] + sum[i * PAIRS + v]);
        }
}

void store_padding(uint pair)
{
    for (uint i = gl_LocalInvocationID.x; i < push.pixels * PAIRS; i += gl_WorkGroupSize.x)
        y[(i / PAIRS * push.y_stride + push.y_offset) * 2 + pair + i % PAIRS] = store_pair(vec2(0.0));
}

void main()
{
    chunk c = chunk(gl_LocalInvocationID.x % LINES, gl_LocalInvocationID.x >= LINES, gl_WorkGroupID.x * PAIRS);
    if (c.pair >= push.pairs) {
        store_padding(c.pair);
        return;
    }
    uint k = c.columns ? 1 : 0, forth = k * LINES + c.line, back = (2 + k) * LINES + LINES - 1 - c.line;
    vec2 u[N], a0[N], b0[N], a1[N], b1[N];
    float to_y0[CHUNK], to_y1[CHUNK];
    load_pixels(c, u);
    load_steps(c, k, u, a0, b0, to_y0);
    load_steps(c, k + 2, u, a1, b1, to_y1);
    barrier(); // all have their pixels: the pool is free
    put_stretch(false, forth, a0, b0);
    put_stretch(true, back, a1, b1);
    states_before();
    [[unroll]] for (uint i = 0; i < N; ++i)
        u[i] *= c.columns ? vectors[8 * push.pairs + c.pair + i % PAIRS] : vec2(0.0);
    add_scan(false, forth, a0, b0, to_y0, u);
    add_scan(true, back, a1, b1, to_y1, u);
    store(c, u);
}
