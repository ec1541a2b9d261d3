// SPDX-License-Identifier: Apache-2.0
// A workgroup of the pool passes: LANES quads of channels by LINES partial sums.
#ifndef POOL_GLSL
#define POOL_GLSL

#define LANES 16
#define LINES 8

layout(local_size_x = LANES * LINES) in;

shared vec4 partial[LANES * LINES];

// The sum over the lines, for those of line 0.
vec4 sum_of_lines(vec4 s)
{
    partial[gl_LocalInvocationID.x] = s;
    barrier();
    if (gl_LocalInvocationID.x < LANES)
        for (uint i = 1; i < LINES; ++i)
            s += partial[i * LANES + gl_LocalInvocationID.x];
    return s;
}

#endif
