// SPDX-License-Identifier: Apache-2.0
// Whether a frame differs from the one that was segmented last: writes the group counts of the passes that run only
// then, their own or zeros. One workgroup.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "iface.h"

layout(local_size_x = 128) in;

layout(std430, binding = 0) buffer P { uint peak; }; // see frame_motion.comp; left at zero for the next frame
layout(std430, binding = 1) readonly buffer C { uint counts[]; };
layout(std430, binding = 2) writeonly buffer A { uint arguments[]; };
layout(std430, binding = 3) writeonly buffer V { uint skipped; float change; };
layout(push_constant) uniform PUSH { frame_decide_push p; };

void main()
{
    float difference = uintBitsToFloat(peak);
    bool still = difference <= p.threshold;
    barrier(); // all have read the peak
    for (uint i = gl_LocalInvocationID.x; i < p.words; i += 128)
        arguments[i] = still ? 0 : counts[i];
    if (gl_LocalInvocationID.x != 0)
        return;
    skipped = uint(still);
    change = difference;
    peak = 0;
}
