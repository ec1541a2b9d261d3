#version 450
// SPDX-License-Identifier: Apache-2.0
// Reads weights that passes after it will read, so that they find them in the cache. What is read goes nowhere, but the compiler is
// not to know.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "iface.h"

layout(local_size_x = TOUCH_WG) in;
layout(push_constant) uniform PUSH { touch_push push; };
layout(std430, binding = 0) readonly buffer W { uvec4 w[]; };
layout(std430, binding = 1) writeonly buffer NOWHERE { uint nowhere[]; };

void main()
{
    uint first = gl_WorkGroupID.x * TOUCH_WG * TOUCH_EACH + gl_LocalInvocationID.x;
    uvec4 v[TOUCH_EACH], all = uvec4(~0);
    [[unroll]] for (uint i = 0; i < TOUCH_EACH; i++)
        v[i] = w[min(first + i * TOUCH_WG, push.octs - 1)];
    [[unroll]] for (uint i = 0; i < TOUCH_EACH; i++)
        all &= v[i];
    if (all == uvec4(push.never))
        nowhere[0] = all.x;
}
