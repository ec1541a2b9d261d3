// SPDX-License-Identifier: Apache-2.0
// What the shaders that make a view share: the style buffer, weights of masks, and blending in whole numbers, so
// that results are the same on every device and a weight of 0 keeps the source bit by bit.
#ifndef FRAME_GLSL
#define FRAME_GLSL

layout(constant_id = 0) const uint VIEW = FRAME_VIEW_OVERLAY;

layout(std430, binding = 0) readonly buffer S { uint source[]; };
layout(std430, binding = 1) readonly buffer L { uint label_map[]; };
layout(std430, binding = 2) readonly buffer T { uvec2 style[]; };
layout(std430, binding = 3) readonly buffer P { uint picture[]; };
layout(std430, binding = 4) writeonly buffer V { uint view[]; };

uvec4 unpack(uint word)
{
    return uvec4(word, word >> 8, word >> 16, word >> 24) & 255u;
}

uint pack(uvec4 v)
{
    return v.x | v.y << 8 | v.z << 16 | v.w << 24;
}

uint source_byte(uint address)
{
    return source[address >> 2] >> (8u * (address & 3u)) & 255u;
}

// The pixel x of the view shows pixel source_x(x) of the frame, masked or plain.
uint source_x(uint x, uint width)
{
    return VIEW == FRAME_VIEW_SIDE && x >= width ? x - width : x;
}

bool masked(uint x, uint width)
{
    return VIEW == FRAME_VIEW_SIDE ? x >= width : VIEW != FRAME_VIEW_SOURCE;
}

uint label_at(uint x, uint y, uint stride)
{
    uint address = y * stride + x;
    return label_map[address >> 2] >> (8u * (address & 3u)) & 255u;
}

// Colour and weight of a label.
uvec3 style_of(uint label, out uint weight)
{
    uvec2 s = style[FRAME_STYLE_LABELS + label];
    weight = s.y;
    return unpack(s.x).xyz;
}

// The overlay picture in the view.
struct Picture {
    uvec2 position, size;
};

Picture load_picture()
{
    return Picture(style[FRAME_STYLE_POSITION], style[FRAME_STYLE_SIZE]);
}

// Whether it may show in the n x rows pixels from x, y on.
bool shows(Picture o, uint x, uint y, uint n, uint rows)
{
    return x + n > o.position.x && y + rows > o.position.y && x < o.position.x + o.size.x && y < o.position.y + o.size.y;
}

// Its pixel at a pixel of the view: alpha 0 outside.
uvec4 picture_at(Picture o, uint x, uint y)
{
    uvec2 at = uvec2(x, y) - o.position; // wraps to something large left of it and above
    return at.x < o.size.x && at.y < o.size.y ? unpack(picture[at.y * o.size.x + at.x]) : uvec4(0);
}

#endif
