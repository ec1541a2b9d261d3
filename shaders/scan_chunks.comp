#version 450
// SPDX-License-Identifier: Apache-2.0
// Selective scan of a large map on cooperative matrices, pass 1. A workgroup has CHUNKS chunks of CHUNK places each, in the order
// of rows or of columns, and scans them both ways from zero; an invocation has one chunk, one way, one pair of channels. Since
// h = product * start + state, what a chunk's start changes is a factor: of every pixel and channel it keeps C state + D u, both
// ways summed up, and C product for each way.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#pragma use_vulkan_memory_model
#include "common.glsl"
#include "iface.h"
#include "scan_math.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 128; // at least CHUNKS * 2 * PAIRS: whole subgroups
layout(constant_id = 1) const uint SUBGROUPS = 4;
layout(constant_id = 2) const uint QUADS = 8;  // of channels
layout(constant_id = 3) const uint RANKS = 1;  // quads of z a direction
layout(constant_id = 4) const uint CHUNK = 16; // a multiple of STEPS
layout(constant_id = 5) const uint CHUNKS = 4; // together a multiple of N places
layout(constant_id = 6) const uint M = 16;     // size of a matrix
layout(constant_id = 7) const uint N = 16;
layout(constant_id = 8) const uint K = 16;
#define STEPS 4 // places whose memory is asked for together
const uint PLACES = CHUNK * CHUNKS, PAIRS = 2 * QUADS, OCTS = (QUADS + 1) / 2;
const uint COLUMNS = (4 * QUADS + K - 1) / K, ROWS = (8 * RANKS + M - 1) / M; // matrices of the weights
const uint W_OCTS = COLUMNS * K / 8, X_PITCH = W_OCTS + 1, Z_PITCH = ROWS * M / 4 + 1;

layout(push_constant) uniform PUSH { scan_chunks_push push; };
layout(std430, binding = 0) readonly buffer X8 { uvec4 x8[]; };           // in octs: 8 halves
layout(std430, binding = 1) readonly buffer PROJECTION { uvec4 w8[]; };   // (rows or columns, rows of both ways, W_OCTS)
layout(std430, binding = 2) readonly buffer STEP { vec4 step_weight[]; }; // W (4, RANKS, 4 QUADS)
layout(std430, binding = 3) readonly buffer VECTORS { vec2 vectors[]; };  // bias, A (4, PAIRS), D (PAIRS)
layout(std430, binding = 4) writeonly buffer TERMS { PAIR terms[]; };     // (pixels, rows or columns, 3, PAIRS)
layout(std430, binding = 5) writeonly buffer STATES { vec2 states[]; };   // (4, chunks, QUADS, 2, 2): product and state

shared uint pixel[PLACES];
shared uvec4 xs[PLACES * X_PITCH];
shared uvec4 ws[ROWS * M * X_PITCH];
shared vec4 zs[PLACES * Z_PITCH];   // (place, way, quad)
shared PAIR ys[2 * PLACES * PAIRS]; // (way, place, pair)

uint id, first, chunk, way, pair, k; // chunk, way (0 forward), pair of channels of the invocation; k: its direction
bool columns;

void find_pixels()
{
    for (uint i = id; i < PLACES; i += WG) {
        uint position = min(first + i, push.pixels - 1);
        pixel[i] = columns ? position % push.h * push.w + position / push.h : position;
    }
    barrier();
}

#define TRIPS(n) (((n) + WG - 1) / WG)
#define HAS(i, n) ((n) % WG == 0 || (i) < (n))

// Everything is asked for before the first value is waited for. Channels past the last oct have zeros for weights and for x.
void stage()
{
    const uint n = PLACES * OCTS, m = ROWS * M * W_OCTS;
    uvec4 v[TRIPS(n)], w[TRIPS(m)];
    [[unroll]] for (uint j = 0; j < TRIPS(m); j++)
        w[j] = w8[(columns ? m : 0) + min(id + j * WG, m - 1)];
    [[unroll]] for (uint j = 0; j < TRIPS(n); j++) {
        uint i = min(id + j * WG, n - 1);
        v[j] = x8[(pixel[i / OCTS] * push.x_stride + push.x_offset) / 2 + i % OCTS];
    }
    [[unroll]] for (uint j = 0; j < TRIPS(m); j++) {
        uint i = id + j * WG;
        if (HAS(i, m))
            ws[i / W_OCTS * X_PITCH + i % W_OCTS] = w[j];
    }
    [[unroll]] for (uint j = 0; j < TRIPS(n); j++) {
        uint i = id + j * WG;
        if (HAS(i, n))
            xs[i / OCTS * X_PITCH + i % OCTS] = v[j];
    }
    if (W_OCTS > OCTS)
        for (uint i = id; i < PLACES * (W_OCTS - OCTS); i += WG)
            xs[i / (W_OCTS - OCTS) * X_PITCH + OCTS + i % (W_OCTS - OCTS)] = uvec4(0);
    barrier();
}

// z of every place, both ways: a matrix a subgroup.
void project()
{
    [[dont_unroll]] for (uint i = gl_SubgroupID; i < ROWS * (PLACES / N); i += SUBGROUPS) {
        uint row = i % ROWS * M, place = i / ROWS * N;
        coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0.0);
        [[dont_unroll]] for (uint c = 0; c < COLUMNS * K / 8; c += K / 8) {
            coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> w;
            coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> v;
            coopMatLoad(w, ws, row * X_PITCH + c, X_PITCH, gl_CooperativeMatrixLayoutRowMajor);
            coopMatLoad(v, xs, place * X_PITCH + c, X_PITCH, gl_CooperativeMatrixLayoutColumnMajor);
            sum = coopMatMulAdd(w, v, sum);
        }
        coopMatStore(sum, zs, place * Z_PITCH + row / 4, Z_PITCH, gl_CooperativeMatrixLayoutColumnMajor);
    }
    barrier();
}

// What the pair's dt, a and D u are made with.
vec4 w0[RANKS], w1[RANKS];
vec2 bias, rate, skip;

void load_parameters()
{
    uint w = k * RANKS * 4 * QUADS + 2 * pair;
    [[unroll]] for (uint j = 0; j < RANKS; j++) {
        w0[j] = step_weight[w + j * 4 * QUADS];
        w1[j] = step_weight[w + j * 4 * QUADS + 1];
    }
    bias = vectors[k * PAIRS + pair];
    rate = vectors[(4 + k) * PAIRS + pair];
    skip = k == 0 ? vectors[8 * PAIRS + pair] : vec2(0.0);
}

uint term_at(uint place, uint term)
{
    return ((pixel[place] * 2 + (columns ? 1 : 0)) * 3 + term) * PAIRS;
}

void scan()
{
    vec2 product = vec2(1.0), state = vec2(0.0);
    [[dont_unroll]] for (uint i = 0; i < CHUNK; i += STEPS) {
        vec2 a[STEPS], b[STEPS], u[STEPS];
        float to_y[STEPS];
        [[unroll]] for (uint j = 0; j < STEPS; j++) {
            uint place = chunk * CHUNK + (way == 0 ? i + j : CHUNK - 1 - i - j), z = place * Z_PITCH + way * RANKS;
            vec4 q = zs[z];
            vec2 v = bias + vec2(dot(w0[0].zw, q.zw), dot(w1[0].zw, q.zw));
            [[unroll]] for (uint r = 1; r < RANKS; r++)
                v += vec2(dot(w0[r], zs[z + r]), dot(w1[r], zs[z + r]));
            u[j] = load_pair(xs[place * X_PITCH + pair / 4][pair % 4]);
            vec2 dt = first + place < push.pixels ? softplus(v) : vec2(0.0);
            a[j] = exp2(dt * rate);
            b[j] = dt * q.x * u[j];
            to_y[j] = q.y;
        }
        [[unroll]] for (uint j = 0; j < STEPS; j++) {
            uint place = chunk * CHUNK + (way == 0 ? i + j : CHUNK - 1 - i - j);
            product *= a[j];
            state = a[j] * state + b[j];
            ys[(way * PLACES + place) * PAIRS + pair] = store_pair(to_y[j] * state + skip * u[j]);
            if (first + place < push.pixels)
                terms[term_at(place, 1 + way) + pair] = store_pair(to_y[j] * product);
        }
    }
    uint index = gl_WorkGroupID.x * CHUNKS + chunk, sequence = (columns ? 2 : 0) + way;
    uint at = ((sequence * push.chunks + (way == 0 ? index : push.chunks - 1 - index)) * QUADS + pair / 2) * 4 + pair % 2;
    if (index < push.chunks) {
        states[at] = product;
        states[at + 2] = state;
    }
}

void store_sums()
{
    barrier();
    for (uint i = id; i < PLACES * PAIRS; i += WG)
        if (first + i / PAIRS < push.pixels)
            terms[term_at(i / PAIRS, 0) + i % PAIRS] = store_pair(load_pair(ys[i]) + load_pair(ys[PLACES * PAIRS + i]));
}

void main()
{
    id = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID;
    first = gl_WorkGroupID.x * PLACES;
    columns = gl_WorkGroupID.y == 1;
    chunk = id / (2 * PAIRS);
    way = id / PAIRS % 2;
    pair = id % PAIRS;
    k = 2 * way + (columns ? 1 : 0);
    load_parameters();
    find_pixels();
    stage();
    project();
    if (chunk < CHUNKS)
        scan();
    store_sums();
}
