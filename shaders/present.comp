// SPDX-License-Identifier: Apache-2.0
// A slot's picture, labels and confidence -> the pixels of a window: masks blended as in frame_blend.comp, the view
// scaled into its rectangle, black around it, texts over all. An invocation makes one pixel. Where the view is shown at
// its own size every pixel is exact; where it is made smaller, several samples are averaged.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "iface.h"

layout(local_size_x = 32, local_size_y = 2) in;

layout(std430, binding = 0) readonly buffer S { uint picture[]; };
layout(std430, binding = 1) readonly buffer L { uint label_map[]; };
layout(std430, binding = 2) readonly buffer C { uint confidence_map[]; };
layout(std430, binding = 3) readonly buffer F { present_frame p; };
layout(std430, binding = 4) readonly buffer T { uint texts[]; };
layout(std430, binding = 5) writeonly buffer W { uint window[]; };

uvec4 unpack(uint word)
{
    return uvec4(word, word >> 8, word >> 16, word >> 24) & 255u;
}

uvec3 source(uvec2 at)
{
    uvec3 s = unpack(picture[at.y * p.stride + at.x]).xyz;
    return p.source_bgr != 0 ? s.zyx : s;
}

uint label_at(uvec2 at)
{
    uint a = at.y * p.label_stride + at.x;
    return label_map[a >> 2] >> (8u * (a & 3u)) & 255u;
}

uint confidence_at(uvec2 at)
{
    uint a = at.y * p.label_stride + at.x;
    return confidence_map[a >> 2] >> (8u * (a & 3u)) & 255u;
}

// Black, violet, red, yellow, white at 0, 1/4, 1/2, 3/4 and 1: brightness grows all the way.
uvec3 heat(uint c)
{
    const vec3 stops[5] = vec3[5](vec3(0, 0, 0), vec3(80, 18, 123), vec3(217, 59, 62), vec3(253, 193, 60), vec3(255, 255, 255));
    float t = float(c) * (4.0 / 255.0);
    uint i = min(uint(t), 3u);
    return uvec3(mix(stops[i], stops[i + 1], t - float(i)) + 0.5);
}

// Pixel of the view at the frame's size; side by side, the right half is masked.
uvec3 view_at(ivec2 v)
{
    uint columns = p.view == FRAME_VIEW_SIDE ? 2 * p.frame_width : p.frame_width;
    uvec2 at = uvec2(clamp(v, ivec2(0), ivec2(columns, p.frame_height) - 1));
    bool right = at.x >= p.frame_width;
    at.x -= right ? p.frame_width : 0u;
    if (p.view == FRAME_VIEW_CONFIDENCE)
        return heat(confidence_at(at));
    uvec3 s = p.view == FRAME_VIEW_MASK ? uvec3(0) : source(at);
    if (p.view == FRAME_VIEW_SOURCE || (p.view == FRAME_VIEW_SIDE && !right))
        return s;
    uint label = label_at(at), w = p.weight[label];
    return (s * (65536u - w) + unpack(p.colour[label]).xyz * w + 32768u) >> 16;
}

vec3 bilinear(vec2 v)
{
    vec2 whole = floor(v), f = v - whole;
    ivec2 i = ivec2(whole);
    vec3 a = vec3(view_at(i)), b = f.x > 0.0 ? vec3(view_at(i + ivec2(1, 0))) : a;
    vec3 top = mix(a, b, f.x);
    if (f.y == 0.0)
        return top;
    vec3 c = vec3(view_at(i + ivec2(0, 1))), d = f.x > 0.0 ? vec3(view_at(i + ivec2(1, 1))) : c;
    return mix(top, mix(c, d, f.x), f.y);
}

uvec3 view_pixel(uvec2 at)
{
    vec3 sum = vec3(0);
    vec2 scale = vec2(p.scale_x, p.scale_y), taps = vec2(p.taps_x, p.taps_y);
    for (uint j = 0; j < p.taps_y; j++)
        for (uint i = 0; i < p.taps_x; i++) {
            vec2 inside = (vec2(i, j) + 0.5) / taps;
            sum += bilinear((vec2(at) + inside) * scale - 0.5);
        }
    return uvec3(sum / (taps.x * taps.y) + 0.5);
}

uvec3 lay_over(uvec3 v, uint i, uvec2 at)
{
    uvec2 o = at - uvec2(p.overlay_x[i], p.overlay_y[i]); // wraps to something large left of it
    if (o.x >= p.overlay_width[i] || o.y >= p.overlay_height[i])
        return v;
    uvec4 t = unpack(texts[p.overlay_offset[i] + o.y * p.overlay_stride[i] + o.x]);
    return (v * (255u - t.w) + t.xyz * t.w + 127u) / 255u;
}

void main()
{
    uvec2 at = gl_GlobalInvocationID.xy;
    if (at.x >= p.width || at.y >= p.height)
        return;
    uvec2 v = at - uvec2(p.x, p.y);
    uvec3 colour = uvec3(0);
    if (v.x < p.view_width && v.y < p.view_height)
        colour = view_pixel(v);
    for (uint i = 0; i < PRESENT_OVERLAYS; i++)
        colour = lay_over(colour, i, at);
    if (p.window_bgr != 0)
        colour = colour.zyx;
    window[at.y * p.width + at.x] = colour.x | colour.y << 8 | colour.z << 16 | 0xff000000u;
}
