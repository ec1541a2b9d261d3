// SPDX-License-Identifier: Apache-2.0
// Selective scan over whole tiles, last pass: every chunk again, now from the state it starts with, and the sum of the four
// directions, which meet in shared memory; nothing is stored but y. A layer norm and a residual may follow.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define STATES_ACCESS readonly
#define Z_ACCESS readonly
#include "common.glsl"
#include "iface.h"
#include "scan_tile.glsl"

layout(constant_id = 3) const bool NORM = false;
layout(constant_id = 4) const bool RESIDUAL = false;
layout(std430, binding = 5) readonly buffer NORMS { vec4 parameter[]; }; // layer norm: weight, bias (push.pad)
layout(std430, binding = 6) readonly buffer R { QUAD r[]; };
layout(std430, binding = 7) writeonly buffer Y { QUAD y[]; };

#define HALF (PIXELS * PITCH)
shared QUAD terms[2 * HALF]; // (rows or columns, pixel, lane); then y and, for a norm, each pixel's mean and scale

void load_z()
{
    [[unroll]] for (uint j = 0; j < PLANES * PIXELS; j += WG) {
        uint i = j + gl_LocalInvocationID.x, plane = i / PIXELS, p = i % PIXELS;
        if (plane < PLANES)
            zs[plane * Z_PLANE + p / SIDE * Z_ROW + p % SIDE] = z[plane * push.plane + pixel_of(p)];
    }
}

void scan(line l, uint way, vec4 state)
{
    load_direction(l, way);
    uint part = (l.columns ? HALF : 0) + gl_LocalInvocationID.x % LANES;
    [[dont_unroll]] for (uint first = 0; first < SIDE; first += STEPS) {
        QUAD u[STEPS];
        [[unroll]] for (uint s = 0; s < STEPS; ++s)
            u[s] = x[pixel_of(l.at + step_at(first + s, way) * l.at_step) * push.x_stride + push.x_offset + l.quad];
        [[unroll]] for (uint s = 0; s < STEPS; ++s) {
            uint i = step_at(first + s, way), to = (l.at + i * l.at_step) * PITCH + part;
            vec4 a, b;
            float to_y;
            step_of(l, i, load_quad(u[s]), a, b, to_y);
            state = a * state + b;
            vec4 term = to_y * state;
            if (way == 1)
                term += load_quad(terms[to]);
            terms[to] = store_quad(term);
        }
    }
}

// Of a pixel's channels: mean and scale.
void find_moments(uint p)
{
    float sum = 0.0, square = 0.0;
    for (uint q = 0; q < push.quads; ++q)
        sum += dot(load_quad(terms[p * PITCH + q]), vec4(1.0));
    float mean = sum / float(push.c);
    for (uint q = 0; q < push.quads; ++q) {
        vec4 v = load_quad(terms[p * PITCH + q]) - mean;
        v *= vec4(lessThan(uvec4(4 * q) + uvec4(0, 1, 2, 3), uvec4(push.c)));
        square += dot(v, v);
    }
    float scale = inversesqrt(square / float(push.c) + push.eps);
#ifdef F16
    terms[HALF + p] = floatBitsToUint(vec2(mean, scale));
#else
    terms[HALF + p] = vec4(mean, scale, 0, 0);
#endif
}

vec2 moments(uint p)
{
#ifdef F16
    return uintBitsToFloat(terms[HALF + p]);
#else
    return terms[HALF + p].xy;
#endif
}

// Quad `lane` of pixel p of the tile: D u and all directions.
vec4 sum_up(uint p, uint lane, uint quad)
{
    uint at = p * PITCH + lane;
    vec4 u = load_quad(x[pixel_of(p) * push.x_stride + push.x_offset + quad]);
    return vectors[8 * push.quads + quad] * u + load_quad(terms[at]) + load_quad(terms[HALF + at]);
}

void store(uint p, uint quad, vec4 v)
{
    uvec2 at = origin() + uvec2(p % SIDE, p / SIDE);
    uint pixel = at.y * push.w + at.x;
    if (at.x >= push.w || at.y >= push.h || quad >= push.pad)
        return;
    if (RESIDUAL && quad < push.quads)
        v += load_quad(r[pixel * push.r_stride + push.r_offset + quad]);
    y[pixel * push.y_stride + push.y_offset + quad] = store_quad(quad < push.quads ? v : vec4(0.0));
}

void main()
{
    line l = find_line();
    vec4 start[2];
    [[unroll]] for (uint way = 0; way < 2; ++way)
        start[way] = states[l.count == 0 ? 0 : state_at(l, way) + 1];
    load_z();
    barrier();
    [[dont_unroll]] for (uint way = 0; way < 2; ++way)
        scan(l, way, way == 0 ? start[0] : start[1]);
    barrier();
    uint lane = gl_LocalInvocationID.x % LANES, quad = min(lane, push.quads - 1), first = gl_LocalInvocationID.x / LANES;
    [[dont_unroll]] for (uint p = first; p < PIXELS; p += 2 * SIDE) {
        vec4 sum = sum_up(p, lane, quad);
        if (NORM)
            terms[p * PITCH + lane] = store_quad(sum);
        else
            store(p, lane, sum);
    }
    if (!NORM)
        return;
    barrier();
    for (uint p = gl_LocalInvocationID.x; p < PIXELS; p += WG)
        find_moments(p);
    barrier();
    vec4 gain = parameter[quad], shift = parameter[push.pad + quad];
    [[dont_unroll]] for (uint p = first; p < PIXELS; p += 2 * SIDE) {
        vec2 m = moments(p);
        store(p, lane, (load_quad(terms[p * PITCH + lane]) - m.x) * m.y * gain + shift);
    }
}
