// SPDX-License-Identifier: Apache-2.0
// What the shaders that make a view share: the style buffer, weights of masks, and blending in whole numbers, so
// that results are the same on every device and a weight of 0 keeps the source bit by bit.
#ifndef FRAME_GLSL
#define FRAME_GLSL

layout(constant_id = 0) const uint VIEW = FRAME_VIEW_OVERLAY;

layout(std430, binding = 0) readonly buffer S { uint source[]; };
layout(std430, binding = 1) readonly buffer L { uint label_map[]; };
layout(std430, binding = 2) readonly buffer T { uint style[]; };
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

uvec3 mask_colour(uint label)
{
    return unpack(style[FRAME_STYLE_COLOUR + label]).xyz;
}

uint mask_weight(uint label)
{
    return style[FRAME_STYLE_WEIGHT + label];
}

// The overlay picture at a pixel of the view: alpha 0 outside.
uvec4 picture_at(uint x, uint y)
{
    uint px = x - style[FRAME_STYLE_X], py = y - style[FRAME_STYLE_Y]; // wraps to something large left of it
    uint width = style[FRAME_STYLE_WIDTH];
    return px < width && py < style[FRAME_STYLE_HEIGHT] ? unpack(picture[py * width + px]) : uvec4(0);
}

#endif
