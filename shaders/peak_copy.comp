#version 450
// SPDX-License-Identifier: Apache-2.0
// How many bytes a device reads and writes a second: a copy, PEAK_OCTS octs an invocation, all loads before the first store.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 256;

layout(std430, binding = 0) restrict readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) restrict writeonly buffer Y { uvec4 y[]; };

void main()
{
    uint first = gl_WorkGroupID.x * WG * PEAK_OCTS + gl_LocalInvocationIndex;
    uvec4 octs[PEAK_OCTS];
    [[unroll]] for (uint i = 0; i < PEAK_OCTS; i++)
        octs[i] = x[first + i * WG];
    [[unroll]] for (uint i = 0; i < PEAK_OCTS; i++)
        y[first + i * WG] = octs[i];
}
