// SPDX-License-Identifier: Apache-2.0
// Selective scan over whole tiles, pass 1: z = W x, and of every chunk and direction, the product of a and the state it ends with
// from zero.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define STATES_ACCESS writeonly
#define Z_ACCESS writeonly
#include "common.glsl"
#include "iface.h"
#include "scan_tile.glsl"

layout(constant_id = 3) const uint EACH = 1; // pixels of which an invocation makes a quad of z together
layout(std430, binding = 5) readonly buffer PROJECTION { QUAD projection[]; }; // (4 quads, PLANES)

shared QUAD xs[PIXELS * PITCH];

void load_x()
{
    uint lane = gl_LocalInvocationID.x % LANES, quad = min(lane, push.quads - 1);
    [[unroll]] for (uint p = 0; p < PIXELS; p += 2 * SIDE) {
        uint i = p + gl_LocalInvocationID.x / LANES;
        xs[i * PITCH + lane] = x[pixel_of(i) * push.x_stride + push.x_offset + quad];
    }
}

// A quad of z of EACH pixels, `apart` from each other.
void project(uint plane, uint first, uint apart)
{
    vec4 sum[EACH];
    [[unroll]] for (uint e = 0; e < EACH; ++e)
        sum[e] = vec4(0.0);
    [[dont_unroll]] for (uint q = 0; q < push.quads; ++q) {
        vec4 w[4], v[EACH];
        [[unroll]] for (uint j = 0; j < 4; ++j)
            w[j] = load_quad(projection[(4 * q + j) * PLANES + plane]);
        [[unroll]] for (uint e = 0; e < EACH; ++e)
            v[e] = load_quad(xs[(first + e * apart) * PITCH + q]);
        [[unroll]] for (uint e = 0; e < EACH; ++e)
            sum[e] += w[0] * v[e].x + w[1] * v[e].y + w[2] * v[e].z + w[3] * v[e].w;
    }
    [[unroll]] for (uint e = 0; e < EACH; ++e) {
        uint i = first + e * apart;
        uvec2 at = origin() + uvec2(i % SIDE, i / SIDE);
        QUAD made = store_quad(clamp(sum[e], -65504.0, 65504.0));
        zs[plane * Z_PLANE + i / SIDE * Z_ROW + i % SIDE] = made;
        if (at.x < push.w && at.y < push.h)
            z[plane * push.plane + at.y * push.w + at.x] = made;
    }
}

void project_all()
{
    const uint apart = PIXELS / EACH;
    for (uint i = gl_LocalInvocationID.x; i < PLANES * apart; i += WG)
        project(i / apart, i % apart, apart);
}

void scan(line l, uint way)
{
    load_direction(l, way);
    vec4 product = vec4(1.0), state = vec4(0.0);
    [[dont_unroll]] for (uint first = 0; first < SIDE; first += STEPS) {
        [[unroll]] for (uint s = 0; s < STEPS; ++s) {
            uint i = step_at(first + s, way);
            vec4 a, b;
            float to_y;
            step_of(l, i, load_quad(xs[(l.at + i * l.at_step) * PITCH + l.quad]), a, b, to_y);
            state = a * state + b;
            product *= a;
        }
    }
    if (l.count == 0 || gl_LocalInvocationID.x % LANES >= push.quads)
        return;
    uint to = state_at(l, way);
    states[to] = product;
    states[to + 1] = state;
}

void main()
{
    load_x();
    barrier();
    project_all();
    barrier();
    line l = find_line();
    [[dont_unroll]] for (uint way = 0; way < 2; ++way)
        scan(l, way);
}
