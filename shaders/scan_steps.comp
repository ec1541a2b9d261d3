#version 450
// SPDX-License-Identifier: Apache-2.0
// Selective scan of a small map on cooperative matrices, pass 1: u, and each direction's dt, B and C, in planes as scan_planes
// reads them. A workgroup has PX places in the order of rows or of columns, and one or both of the directions k in that order:
//
//   z (B, C, dt's low rank) = W x,  dt = softplus(W_k z + bias_k),  x may first be made by a depthwise convolution
//
// Both products have the weights on the left, so that a plane's row is a row of the result. The bias is two more columns of W_k,
// a half and what it leaves, against ones. Everything from memory is asked for before the first product.
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
layout(constant_id = 0) const uint WG = 256; // invocations: whole subgroups
layout(constant_id = 1) const uint SUBGROUPS = 8;
layout(constant_id = 2) const uint QUADS = 36; // of channels
layout(constant_id = 3) const uint RANK = 9;   // of dt
layout(constant_id = 4) const uint TILES = 1;  // matrices along the places
layout(constant_id = 5) const uint PARTS = 8;  // of the channels in the first product
layout(constant_id = 6) const uint M = 16;     // size of a matrix
layout(constant_id = 7) const uint N = 16;
layout(constant_id = 8) const uint K = 16;
layout(constant_id = 9) const uint KERNEL = 0; // of the convolution that makes x; 0: none
layout(constant_id = 10) const uint ACT = ACT_NONE;
layout(constant_id = 11) const uint STRIP = 1; // neighbouring places that an invocation convolves; divides the map's sides
layout(constant_id = 12) const uint DIRECTIONS = 2; // 1: k; 2: k and k + 2

layout(push_constant) uniform PUSH { scan_steps_push push; };
layout(std430, binding = 0) readonly buffer X8 { uvec4 x8[]; };          // in octs: 8 halves
layout(std430, binding = 1) readonly buffer PROJECTION { uvec4 w1[]; };  // [k][ROWS1][COLUMNS1] matrices
layout(std430, binding = 2) readonly buffer STEPS { uvec4 w2[]; };       // [k][ROWS2][COLUMNS2] matrices
layout(std430, binding = 3) writeonly buffer OUT { uvec4 planes[]; };    // (blocks of N places, PLANES, N)
layout(std430, binding = 4) readonly buffer TAPS8 { uvec4 taps8[]; };    // (taps, OCTS), then float32 bias (8 OCTS)

const uint SPAN = KERNEL == 0 ? 1 : STRIP + KERNEL - 1;
const uint PX = TILES * N, OCTS = (QUADS + 1) / 2;
const uint BOTH = M > K ? M : K, CHANNELS = (4 * QUADS + BOTH - 1) / BOTH * BOTH; // with zeros
const uint PLANES = 6 * CHANNELS + 8; // u (2, CHANNELS), dt (4, CHANNELS), B and C (4, 2)
const uint ROWS1 = (RANK + 2 + M - 1) / M, COLUMNS1 = CHANNELS / K;
const uint ROWS2 = CHANNELS / M, COLUMNS2 = (RANK + 2 + K - 1) / K;
const uint OWN = (COLUMNS1 + PARTS - 1) / PARTS; // columns of a part
const uint UNITS1 = DIRECTIONS * ROWS1 * TILES * PARTS, TRIPS1 = (UNITS1 + SUBGROUPS - 1) / SUBGROUPS;
const uint UNITS2 = DIRECTIONS * ROWS2 * TILES, TRIPS2 = (UNITS2 + SUBGROUPS - 1) / SUBGROUPS;
const uint X_PITCH = CHANNELS / 8 + 1, SUM_PITCH = PX / 4 + 1, Z_PITCH = PX / 8 + 1;

const uint PATCH_PITCH = N / 8 + 1, PATCH = M * PATCH_PITCH; // octs of a subgroup's matrix of dt
const uint XS = PX * X_PITCH > SUBGROUPS * PATCH ? PX * X_PITCH : SUBGROUPS * PATCH;

shared uvec4 xs[XS]; // (places, channels), then (subgroups, channels, places)
shared uvec4 sums[PARTS * DIRECTIONS * ROWS1 * M * SUM_PITCH]; // (parts, rows of z, places), float32
shared uvec4 zs[DIRECTIONS * COLUMNS2 * K * Z_PITCH];         // (ranks, two of ones, zeros; places)

#define SCOPE gl_ScopeSubgroup
#define ROW_MAJOR gl_CooperativeMatrixLayoutRowMajor
#define COLUMN_MAJOR gl_CooperativeMatrixLayoutColumnMajor
#define LEFT coopmat<float16_t, SCOPE, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, SCOPE, K, N, gl_MatrixUseB>
#define SUM coopmat<float, SCOPE, M, N, gl_MatrixUseAccumulator>
#define HALVES coopmat<float16_t, SCOPE, M, N, gl_MatrixUseAccumulator>

uint id, sg, k, first; // k: its first direction; first: its first place
bool columns;
LEFT left1[TRIPS1 * OWN], left2[TRIPS2 * COLUMNS2];

// What a subgroup multiplies at a time: row of matrices (of one direction, then of the other), tile of places; of the first product a
// part of the channels too.
struct unit {
    uint row, tile, part;
};

unit unit1(uint i)
{
    uint u = sg + i * SUBGROUPS;
    return unit(u % (DIRECTIONS * ROWS1), u / (DIRECTIONS * ROWS1) % TILES, u / (DIRECTIONS * ROWS1 * TILES));
}

unit unit2(uint i)
{
    uint u = sg + i * SUBGROUPS;
    return unit(u % (DIRECTIONS * ROWS2), u / (DIRECTIONS * ROWS2), 0);
}

uint direction_of(uint d)
{
    return k + 2 * d;
}

bool has_unit(uint i, uint units)
{
    return (i + 1) * SUBGROUPS <= units || sg + i * SUBGROUPS < units;
}

bool has_column(unit u, uint j)
{
    return COLUMNS1 % PARTS == 0 || u.part * OWN + j < COLUMNS1;
}

void load_weights()
{
    const uint octs = M * K / 8;
    [[unroll]] for (uint i = 0; i < TRIPS1; i++) {
        unit u = unit1(i);
        [[unroll]] for (uint j = 0; j < OWN; j++)
            if (has_unit(i, UNITS1) && has_column(u, j))
                coopMatLoad(left1[i * OWN + j], w1, ((direction_of(u.row / ROWS1) * ROWS1 + u.row % ROWS1) * COLUMNS1 + u.part * OWN + j) * octs, K / 8, ROW_MAJOR);
    }
    [[unroll]] for (uint i = 0; i < TRIPS2; i++)
        [[unroll]] for (uint j = 0; j < COLUMNS2; j++)
            if (has_unit(i, UNITS2)) {
                uint row = unit2(i).row;
                coopMatLoad(left2[i * COLUMNS2 + j], w2, ((direction_of(row / ROWS2) * ROWS2 + row % ROWS2) * COLUMNS2 + j) * octs, K / 8, ROW_MAJOR);
            }
}

// Places: x along the direction, y across.
uint pixel_at(ivec2 at)
{
    return columns ? at.x * push.w + at.y : at.y * push.w + at.x;
}

vec4 half_of(uvec4 oct, uint i)
{
    return load_quad(i == 0 ? oct.xy : oct.zw);
}

// Oct o of STRIP places of the tile from `place` on.
void convolve(uint place, uint o)
{
    ivec2 size = columns ? ivec2(push.h, push.w) : ivec2(push.w, push.h);
    uint position = min(first + place, push.pixels - STRIP);
    ivec2 at = ivec2(position % size.x, position / size.x);
    vec4 sum[STRIP * 2];
    [[unroll]] for (uint s = 0; s < STRIP * 2; s++)
        sum[s] = uintBitsToFloat(taps8[KERNEL * KERNEL * OCTS + 2 * o + s % 2]);
    [[unroll]] for (uint t = 0; t < KERNEL; t++) {
        uvec4 v[SPAN];
        [[unroll]] for (uint j = 0; j < SPAN; j++) {
            ivec2 p = at + ivec2(j, t) - int(KERNEL / 2), inside = clamp(p, ivec2(0), size - 1);
            v[j] = x8[(pixel_at(inside) * push.x_stride + push.x_offset) / 2 + o];
            v[j] = p == inside ? v[j] : uvec4(0);
        }
        [[unroll]] for (uint d = 0; d < KERNEL; d++) {
            uvec4 tap = taps8[(columns ? d * KERNEL + t : t * KERNEL + d) * OCTS + o];
            [[unroll]] for (uint s = 0; s < STRIP * 2; s++)
                sum[s] = fma(half_of(v[s / 2 + d], s % 2), half_of(tap, s % 2), sum[s]);
        }
    }
    [[unroll]] for (uint s = 0; s < STRIP; s++)
        xs[(place + s) * X_PITCH + o] = uvec4(store_quad(activate(sum[2 * s], ACT)), store_quad(activate(sum[2 * s + 1], ACT)));
}

void copy(uint place, uint o)
{
    uint position = min(first + place, push.pixels - 1), line = columns ? push.h : push.w;
    xs[place * X_PITCH + o] = x8[(pixel_at(ivec2(position % line, position / line)) * push.x_stride + push.x_offset) / 2 + o];
}

// Channels past the last oct, and the rows of z that are no ranks.
void stage_constants()
{
    const uint zeros = CHANNELS / 8 - OCTS, rows = COLUMNS2 * K - RANK;
    for (uint i = id; i < PX * zeros; i += WG)
        xs[i / zeros * X_PITCH + OCTS + i % zeros] = uvec4(0);
    for (uint i = id; i < DIRECTIONS * rows * PX / 8; i += WG) {
        uint row = i / (PX / 8) % rows, d = i / (rows * PX / 8);
        zs[(d * COLUMNS2 * K + RANK + row) * Z_PITCH + i % (PX / 8)] = uvec4(row < 2 ? 0x3c003c00 : 0);
    }
}

void stage()
{
    if (KERNEL == 0)
        [[unroll]] for (uint i = 0; i < (PX * OCTS + WG - 1) / WG; i++) {
            uint e = id + i * WG;
            if (PX * OCTS % WG == 0 || e < PX * OCTS)
                copy(e / OCTS, e % OCTS);
        }
    else
        for (uint e = id; e < PX / STRIP * OCTS; e += WG)
            convolve(e / OCTS * STRIP, e % OCTS);
    stage_constants();
}

uint plane_at(uint row, uint place)
{
    return (((first + place) / N * PLANES + row) * N + (first + place) % N) / 8;
}

// The first product, in parts. What it reads are the planes of u: they are stored from there, once for each order.
void project()
{
    [[unroll]] for (uint i = 0; i < TRIPS1; i++) {
        unit u = unit1(i);
        if (!has_unit(i, UNITS1))
            continue;
        SUM sum = SUM(0.0);
        [[unroll]] for (uint j = 0; j < OWN; j++)
            if (has_column(u, j)) {
                RIGHT x;
                uint c = (u.part * OWN + j) * K;
                coopMatLoad(x, xs, u.tile * N * X_PITCH + c / 8, X_PITCH, COLUMN_MAJOR);
                sum = coopMatMulAdd(left1[i * OWN + j], x, sum);
                if (u.row == 0 && k < 2)
                    coopMatStore(x, planes, plane_at(k * CHANNELS + c, u.tile * N), N / 8, ROW_MAJOR);
            }
        coopMatStore(sum, sums, (u.part * DIRECTIONS * ROWS1 + u.row) * M * SUM_PITCH + u.tile * N / 4, SUM_PITCH, ROW_MAJOR);
    }
}

// Row `row` of z at 8 places: B and C to their planes, the others to shared memory.
void join(uint d, uint row, uint place)
{
    vec4 v[2] = {vec4(0.0), vec4(0.0)};
    [[unroll]] for (uint part = 0; part < PARTS; part++)
        [[unroll]] for (uint i = 0; i < 2; i++)
            v[i] += uintBitsToFloat(sums[((part * DIRECTIONS + d) * ROWS1 * M + row) * SUM_PITCH + place / 4 + i]);
    uvec4 oct = uvec4(store_quad(clamp(v[0], -65504.0, 65504.0)), store_quad(clamp(v[1], -65504.0, 65504.0)));
    if (row < 2)
        planes[plane_at(6 * CHANNELS + 2 * direction_of(d) + row, place)] = oct;
    else if (row < RANK + 2)
        zs[(d * COLUMNS2 * K + row - 2) * Z_PITCH + place / 8] = oct;
}

// A matrix of dt to the subgroup's patch of shared memory.
void make_steps(unit u, uint i)
{
    SUM dt = SUM(0.0);
    [[unroll]] for (uint j = 0; j < COLUMNS2; j++) {
        RIGHT z;
        coopMatLoad(z, zs, (u.row / ROWS2 * COLUMNS2 + j) * K * Z_PITCH + u.tile * N / 8, Z_PITCH, ROW_MAJOR);
        dt = coopMatMulAdd(left2[i * COLUMNS2 + j], z, dt);
    }
    [[unroll]] for (uint e = 0; e < dt.length(); e++)
        dt[e] = min(softplus(dt[e]), 65504.0);
    coopMatStore(HALVES(dt), xs, sg * PATCH, PATCH_PITCH, ROW_MAJOR);
}

// And from there to its planes, in whole octs.
void store_steps(unit u)
{
    uint to = plane_at((2 + direction_of(u.row / ROWS2)) * CHANNELS + u.row % ROWS2 * M, u.tile * N);
    for (uint e = gl_SubgroupInvocationID; e < M * N / 8; e += gl_SubgroupSize)
        planes[to + e] = xs[sg * PATCH + e / (N / 8) * PATCH_PITCH + e % (N / 8)];
}

void main()
{
    sg = gl_SubgroupID;
    id = sg * gl_SubgroupSize + gl_SubgroupInvocationID;
    first = gl_WorkGroupID.x * PX;
    k = gl_WorkGroupID.y;
    columns = k % 2 == 1;
    load_weights();
    stage();
    barrier();
    project();
    barrier();
    for (uint e = id; e < DIRECTIONS * ROWS1 * M * PX / 8; e += WG)
        join(e / (ROWS1 * M * PX / 8), e / (PX / 8) % (ROWS1 * M), e % (PX / 8) * 8);
    barrier();
    // Subgroups without work wait too: a CPU driver has them wait for each other.
    [[unroll]] for (uint i = 0; i < TRIPS2; i++) {
        if (has_unit(i, UNITS2))
            make_steps(unit2(i), i);
        subgroupBarrier();
        if (has_unit(i, UNITS2))
            store_steps(unit2(i));
        subgroupBarrier();
    }
}
