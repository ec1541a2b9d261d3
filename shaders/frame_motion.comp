// SPDX-License-Identifier: Apache-2.0
// The network's input -> how far each cell of logits has moved since the picture that its evidence stands for. A cell is
// ratio x ratio pixels of the input; its picture is the mean colour of its four quarters, in 8-bit levels: fine enough to
// see an edge of a pixel's motion, coarse enough to average sensor noise. An invocation makes one cell.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint DECIDE = 0; // the largest difference is wanted

layout(std430, binding = 0) readonly buffer I { QUAD tensor[]; };
layout(std430, binding = 1) readonly buffer R { vec4 reference[]; }; // [cell][3]: red, green, blue of the quarters
layout(std430, binding = 2) writeonly buffer N { vec4 cells[]; };    // [cell][4]: the same of this frame; difference, 0, 0, 0
layout(std430, binding = 3) readonly buffer C { uint reset; };
layout(std430, binding = 4) buffer P { uint peak; }; // bits of a float that is not negative: ordered like whole numbers
layout(push_constant) uniform PUSH { frame_motion_push p; };

// Mean of a rectangle of the input without the normalisation's offset, which no difference sees.
vec3 mean(uvec2 from, uvec2 size)
{
    vec3 sum = vec3(0);
    for (uint y = 0; y < size.y; y++)
        for (uint x = 0; x < size.x; x++)
            sum += load_quad(tensor[p.offset4 + ((from.y + y) * p.width + from.x + x) * p.stride4]).xyz;
    return sum * vec3(p.std_r, p.std_g, p.std_b) / max(float(size.x * size.y), 1.0);
}

void main()
{
    uint cell = gl_GlobalInvocationID.x;
    if (cell >= p.grid_width * p.grid_height)
        return;
    uvec2 from = uvec2(cell % p.grid_width, cell / p.grid_width) * p.ratio;
    uint a = (p.ratio + 1) / 2, b = p.ratio - a; // b is 0 where a cell is one pixel
    vec3 q0 = mean(from, uvec2(a, a)), q1 = mean(from + uvec2(a, 0), uvec2(b, a));
    vec3 q2 = mean(from + uvec2(0, a), uvec2(a, b)), q3 = mean(from + uvec2(a, a), uvec2(b, b));
    float sum = 0.0;
    uint at = p.first + cell;
    for (uint k = 0; k < 3; k++) {
        vec4 v = vec4(q0[k], q1[k], q2[k], q3[k]), d = v - reference[3 * at + k];
        cells[4 * at + k] = v;
        sum += dot(d, d);
    }
    float difference = reset != 0 ? FRAME_MOTION_NONE : sqrt(sum / (b == 0 ? 3.0 : 12.0));
    cells[4 * at + 3] = vec4(difference, 0, 0, 0);
    if (DECIDE != 0)
        atomicMax(peak, floatBitsToUint(difference));
}
