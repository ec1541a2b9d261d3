// SPDX-License-Identifier: Apache-2.0
// Pixel unshuffle in torch's order: output channel (c R + i) R + j at (y, x) is input channel c at (R y + i, R x + j).
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint R = 2;

layout(push_constant) uniform PUSH { unshuffle_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) writeonly buffer Y { QUAD y[]; };

void main()
{
    uint quad = gl_GlobalInvocationID.x % push.quads, column = gl_GlobalInvocationID.x / push.quads, row = gl_WorkGroupID.y;
    if (column >= push.w)
        return;
    vec4 v = vec4(0.0);
    for (uint e = 0; e < 4; ++e) {
        uint o = 4 * quad + e, c = o / (R * R), i = o / R % R, j = o % R;
        if (c < push.channels) {
            uint pixel = (row * R + i) * push.w * R + column * R + j;
            v[e] = load_quad(x[pixel * push.x_stride + push.x_offset + c / 4])[c % 4];
        }
    }
    y[(row * push.w + column) * push.y_stride + push.y_offset + quad] = store_quad(v);
}
