#version 450
// SPDX-License-Identifier: Apache-2.0
// How many multiply-adds a device does a second: every invocation keeps CHAINS sums busy that do not wait for each other.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 256;

layout(push_constant) uniform Push { peak_push p; };
layout(std430, binding = 0) restrict writeonly buffer Y { vec4 y[]; }; // [invocation]: so that nothing is left out

void main()
{
    vec4 sum[PEAK_CHAINS / 4];
    [[unroll]] for (uint i = 0; i < PEAK_CHAINS / 4; i++)
        sum[i] = vec4(gl_LocalInvocationIndex, i, 1, 2);
    [[dont_unroll]] for (uint round = 0; round < p.rounds; round++)
        [[unroll]] for (uint i = 0; i < PEAK_STEPS * PEAK_CHAINS / 4; i++)
            sum[i % (PEAK_CHAINS / 4)] = fma(sum[i % (PEAK_CHAINS / 4)], vec4(p.factor), vec4(1));
    vec4 all = vec4(0);
    [[unroll]] for (uint i = 0; i < PEAK_CHAINS / 4; i++)
        all += sum[i];
    y[gl_WorkGroupID.x * WG + gl_LocalInvocationIndex] = all;
}
