// SPDX-License-Identifier: Apache-2.0
// Packed RGB -> the network's input: resized, cropped, normalised. Positions are exact fractions of whole numbers; a
// resize to the same size copies. An invocation makes ROWS pixels of a column of the tensor with their padding: its neighbours
// read and write beside it, whole lines of memory at a time.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "fraction.glsl"
#include "iface.h"

layout(local_size_x = 32, local_size_y = 4) in;
layout(constant_id = 0) const uint RESIZE = FRAME_INPUT_COPY;
layout(constant_id = 1) const uint SWAP = 0; // bytes are B G R X

layout(std430, binding = 0) readonly buffer S { uint source[]; };
#ifdef F16
layout(std430, binding = 1) writeonly buffer O { uvec4 tensor[]; };
#else
layout(std430, binding = 1) writeonly buffer O { vec4 tensor[]; };
#endif
layout(push_constant) uniform PUSH { frame_input_push p; };

const uint ROWS = FRAME_INPUT_ROWS;

uvec3 colour(uint w)
{
    uvec3 v = uvec3(w, w >> 8, w >> 16) & 255u;
    return SWAP != 0 ? v.zyx : v;
}

uvec3 rgb(uint x, uint y)
{
    return colour(source[y * p.src_stride + x]);
}

// Half-pixel centres: ((x + 1/2) src / net - 1/2, at least 0) as the whole part and the fraction.
uint position(uint x, uint src, uint net, out float fraction)
{
    int n = max(int((2 * x + 1) * src) - int(net), 0), d = 2 * int(net), r;
    int i = divide(n, d, r);
    fraction = float(r) / float(d);
    return uint(i);
}

vec3 bilinear(uvec2 at)
{
    vec2 f;
    uint x0 = position(at.x, p.src_width, p.net_width, f.x), y0 = position(at.y, p.src_height, p.net_height, f.y);
    uint x1 = min(x0 + 1, p.src_width - 1), y1 = min(y0 + 1, p.src_height - 1);
    vec3 top = vec3(rgb(x0, y0)) * (1.0 - f.x) + vec3(rgb(x1, y0)) * f.x;
    vec3 bottom = vec3(rgb(x0, y1)) * (1.0 - f.x) + vec3(rgb(x1, y1)) * f.x;
    return top * (1.0 - f.y) + bottom * f.y;
}

// Mean over the source rectangle that the pixel covers. In units of 1/net source pixels, pixel i covers
// [i net, (i + 1) net) and the rectangle is [x src, (x + 1) src).
vec3 area(uvec2 at)
{
    uvec2 src = uvec2(p.src_width, p.src_height), net = uvec2(p.net_width, p.net_height);
    uvec2 begin = at * src, end = begin + src;
    uvec2 first = begin / net, last = (end - 1) / net;
    vec3 sum = vec3(0);
    for (uint y = first.y; y <= last.y; y++) {
        uvec3 row = uvec3(0);
        for (uint x = first.x; x <= last.x; x++)
            row += rgb(x, y) * (min(end.x, (x + 1) * net.x) - max(begin.x, x * net.x));
        sum += vec3(row) * float(min(end.y, (y + 1) * net.y) - max(begin.y, y * net.y));
    }
    return sum / (float(src.x) * float(src.y));
}

void write(uint x, uint y, vec3 v)
{
    v = (v - vec3(p.mean_r, p.mean_g, p.mean_b)) / vec3(p.std_r, p.std_g, p.std_b);
    uint to = y * p.width + x;
#ifdef F16
    tensor[to] = uvec4(store_quad(vec4(v, 0)), 0, 0);
#else
    tensor[2 * to] = vec4(v, 0);
    tensor[2 * to + 1] = vec4(0);
#endif
}

void main()
{
    uint x = gl_GlobalInvocationID.x, y = gl_WorkGroupID.y * 4 * ROWS + gl_LocalInvocationID.y;
    if (x >= p.width)
        return;
    if (RESIZE == FRAME_INPUT_COPY) {
        uint w[ROWS];
        [[unroll]] for (uint k = 0; k < ROWS; k++)
            w[k] = source[(min(y + 4 * k, p.height - 1) + p.y0) * p.src_stride + x + p.x0];
        [[unroll]] for (uint k = 0; k < ROWS; k++)
            if (y + 4 * k < p.height)
                write(x, y + 4 * k, vec3(colour(w[k])));
        return;
    }
    for (uint k = 0; k < ROWS && y + 4 * k < p.height; k++) {
        uvec2 at = uvec2(x + p.x0, y + 4 * k + p.y0);
        write(x, y + 4 * k, RESIZE == FRAME_INPUT_AREA ? area(at) : bilinear(at));
    }
}
