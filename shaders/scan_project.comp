// SPDX-License-Identifier: Apache-2.0
// Selective scan, pass 1: z = W x of every pixel and all four directions, float32. An invocation makes one quad of z
// for PIXELS consecutive pixels; neighbours share the pixels and read consecutive weights.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint PIXELS = 8;

layout(push_constant) uniform PUSH { scan_project_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer WEIGHT { QUAD weight[]; }; // (4 quads, outputs)
layout(std430, binding = 2) writeonly buffer SCRATCH { vec4 z[]; };

void main()
{
    uint o = gl_GlobalInvocationID.x % push.outputs;
    uint first = gl_GlobalInvocationID.x / push.outputs * PIXELS;
    if (first >= push.pixels)
        return;
    uint at[PIXELS];
    vec4 sum[PIXELS];
    for (uint i = 0; i < PIXELS; ++i) {
        at[i] = min(first + i, push.pixels - 1) * push.x_stride + push.x_offset;
        sum[i] = vec4(0.0);
    }
    for (uint q = 0; q < push.quads; ++q) {
        vec4 w0 = load_quad(weight[(4 * q + 0) * push.outputs + o]);
        vec4 w1 = load_quad(weight[(4 * q + 1) * push.outputs + o]);
        vec4 w2 = load_quad(weight[(4 * q + 2) * push.outputs + o]);
        vec4 w3 = load_quad(weight[(4 * q + 3) * push.outputs + o]);
        for (uint i = 0; i < PIXELS; ++i) {
            vec4 v = load_quad(x[at[i] + q]);
            sum[i] += w0 * v.x + w1 * v.y + w2 * v.z + w3 * v.w;
        }
    }
    for (uint i = 0; i < PIXELS; ++i)
        if (first + i < push.pixels)
            z[(first + i) * push.outputs + o] = sum[i];
}
