// SPDX-License-Identifier: Apache-2.0
// Copies one input of a concatenation to its channels of the output. Where the input's first channel is not the first of
// a quad, SHIFTED passes join pieces of two quads and keep what the input before has written of the first one.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 128) in;
layout(constant_id = 0) const bool SHIFTED = false;

layout(push_constant) uniform PUSH { copy_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) buffer Y { QUAD y[]; };

// Channels 4 quad .. of the pixel at `at`, zeros outside of the input.
vec4 input_quad(uint at, uint quad)
{
    if (quad * 4 >= push.channels) // also the quad before the first
        return vec4(0.0);
    uvec4 channel = quad * 4 + uvec4(0, 1, 2, 3);
    return mix(vec4(0.0), load_quad(x[at + quad]), lessThan(channel, uvec4(push.channels)));
}

void main()
{
    uint quad = gl_GlobalInvocationID.x % push.quads, column = gl_GlobalInvocationID.x / push.quads;
    if (column >= push.w)
        return;
    uint pixel = gl_WorkGroupID.y * push.w + column;
    uint from = pixel * push.x_stride + push.x_offset, to = pixel * push.y_stride + push.y_offset + quad;
    vec4 v = input_quad(from, quad);
    if (SHIFTED) {
        vec4 before = quad == 0 ? load_quad(y[to]) : input_quad(from, quad - 1);
        if (push.shift == 1)
            v = quad == 0 ? vec4(before.x, v.xyz) : vec4(before.w, v.xyz);
        else if (push.shift == 2)
            v = quad == 0 ? vec4(before.xy, v.xy) : vec4(before.zw, v.xy);
        else
            v = quad == 0 ? vec4(before.xyz, v.x) : vec4(before.yzw, v.x);
    }
    y[to] = store_quad(v);
}
