// SPDX-License-Identifier: Apache-2.0
// Logits at 1/ratio of the resized image -> label map of the frame: bilinear (half-pixel centres) and arg-max at once,
// the first of equal maxima wins. With crops, a pixel sums the logits of all crops that cover it, each with its own
// edges repeated; the mean's divisor is common to all classes and changes no maximum. Without crops, only the quads of
// classes that frame_candidates.comp has left are looked at.
// With CONFIDENCE, also the label's probability: softmax over the classes' interpolated (mean) logits, summed on the way;
// all classes are looked at then.
// An invocation makes four pixels of a row: one word. Columns are interpolated vertically first and shared.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "fraction.glsl"
#include "iface.h"

layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const uint SLIDE = 0;
layout(constant_id = 1) const uint SHARE = 1; // the four pixels need at most three columns
layout(constant_id = 2) const uint CONFIDENCE = 0;

layout(std430, binding = 0) readonly buffer L { QUAD logits[]; };
// SLIDE: origin x, y in pixels of the resized image; first quad; origin in logits x | y << 16. The whole image binds
// the candidates instead, 64 bits a cell.
layout(std430, binding = 1) readonly buffer C { uvec4 crops[]; };
layout(std430, binding = 1) readonly buffer Q { uvec2 candidates[]; };
layout(std430, binding = 2) writeonly buffer O { uint labels[]; };
layout(std430, binding = 3) writeonly buffer W { uint confidence[]; };
layout(push_constant) uniform PUSH { frame_labels_push p; };

const float LOWEST = -3.402823466e38;

// Where the word's pixels lie.
ivec4 cell;      // column of logits left of each pixel; -1 left of the first
vec4 fraction;   // towards the next column
int row;
float row_fraction;
uvec4 net_x;     // column of the resized image
uint net_y;

// Quads of the taps: upper and lower row; three shared columns, or four left and four right ones.
struct Taps {
    uvec4 upper, lower, upper_right, lower_right;
};

// ((x + 1/2) net / frame) / ratio - 1/2 as a whole number and the remainder of a division by denominator().
int denominator(uint size)
{
    return 2 * int(p.ratio * size);
}

int position(uint x, uint size, uint net, out int remainder)
{
    return divide(int((2 * x + 1) * net) - int(p.ratio * size), denominator(size), remainder);
}

// Column of the resized image.
uint pixel(uint x, uint size, uint net)
{
    int r;
    return uint(divide(int((2 * x + 1) * net), 2 * int(size), r));
}

void locate(uint x, uint y)
{
    int d = denominator(p.width), r;
    cell.x = position(x, p.width, p.net_width, r);
    fraction.x = float(r) / float(d);
    for (uint i = 1; i < 4; i++) {
        uint at = min(x + i, p.width - 1);
        if (SHARE != 0) { /* at most one step in all */
            int ri = r + 2 * int((at - x) * p.net_width);
            cell[i] = cell.x + int(ri >= d);
            fraction[i] = float(ri >= d ? ri - d : ri) / float(d);
        } else {
            int ri;
            cell[i] = position(at, p.width, p.net_width, ri);
            fraction[i] = float(ri) / float(d);
        }
    }
    row = position(y, p.height, p.net_height, r);
    row_fraction = float(r) / float(denominator(p.height));
    if (SLIDE != 0) {
        for (uint i = 0; i < 4; i++)
            net_x[i] = pixel(min(x + i, p.width - 1), p.width, p.net_width);
        net_y = pixel(y, p.height, p.net_height);
    }
}

Taps taps(uvec4 crop)
{
    ivec2 origin = ivec2(crop.w & 0xffffu, crop.w >> 16);
    int last_x = int(p.grid_width) - 1, last_y = int(p.grid_height) - 1;
    uint base = crop.z + p.offset4;
    uint r0 = base + uint(clamp(row - origin.y, 0, last_y)) * p.grid_width * p.stride4;
    uint r1 = base + uint(clamp(row + 1 - origin.y, 0, last_y)) * p.grid_width * p.stride4;
    ivec4 left = (SHARE != 0 ? cell.x + ivec4(0, 1, 2, 2) : cell) - origin.x;
    uvec4 a = uvec4(clamp(left, ivec4(0), ivec4(last_x))) * p.stride4;
    uvec4 b = uvec4(clamp(left + 1, ivec4(0), ivec4(last_x))) * p.stride4;
    return Taps(r0 + a, r1 + a, r0 + b, r1 + b);
}

vec4 column(uint upper, uint lower)
{
    return load_quad(logits[upper]) * (1.0 - row_fraction) + load_quad(logits[lower]) * row_fraction;
}

// Adds class quad q of one crop to the four pixels.
void add(Taps t, uint q, vec4 cover, inout vec4 v[4])
{
    if (SHARE != 0) {
        vec4 a = column(t.upper.x + q, t.lower.x + q), b = column(t.upper.y + q, t.lower.y + q), c = column(t.upper.z + q, t.lower.z + q);
        bvec4 next = greaterThan(cell, ivec4(cell.x));
        vec4 right = fraction * cover, left = cover - right;
        vec4 wa = mix(left, vec4(0), next), wb = mix(right, left, next), wc = mix(vec4(0), right, next);
        for (int i = 0; i < 4; i++)
            v[i] += a * wa[i] + b * wb[i] + c * wc[i];
    } else {
        for (int i = 0; i < 4; i++) {
            vec4 left = column(t.upper[i] + q, t.lower[i] + q), right = column(t.upper_right[i] + q, t.lower_right[i] + q);
            v[i] += (left * (1.0 - fraction[i]) + right * fraction[i]) * cover[i];
        }
    }
}

vec4 covered(uvec4 crop)
{
    uvec4 x = net_x - crop.x;
    uvec2 size = uvec2(p.grid_width, p.grid_height) * p.ratio;
    return net_y - crop.y < size.y ? vec4(lessThan(x, uvec4(size.x))) : vec4(0);
}

// Bits of the quads that may win at one of the pixels.
uvec2 remaining()
{
    if (CONFIDENCE != 0) {
        uint n = (p.classes + 3) / 4;
        return uvec2(n < 32 ? (1u << n) - 1u : ~0u, n < 33 ? 0u : n < 64 ? (1u << (n - 32)) - 1u : ~0u);
    }
    uint first = uint(row + 1) * (p.grid_width + 1) + 1; // cells count from -1, -1
    uvec2 bits = candidates[first + cell.x] | candidates[first + cell.w];
    if (SHARE == 0)
        bits |= candidates[first + cell.y] | candidates[first + cell.z];
    return bits;
}

uvec2 covering_crops()
{
    uvec2 bits = uvec2(0);
    for (uint k = 0; k < p.crops; k++)
        if (covered(crops[k]) != vec4(0))
            bits[k >> 5] |= 1u << (k & 31u);
    return bits;
}

vec4 best = vec4(LOWEST);
uvec4 label = uvec4(0);
vec4 total = vec4(0); // of exp(logit - best)
vec4 mean = vec4(1);  // one over the crops that are summed

void choose(uint q, vec4 v[4])
{
    for (uint c = 0; c < 4; c++) {
        uint id = 4 * q + c;
        vec4 candidate = id < p.classes ? vec4(v[0][c], v[1][c], v[2][c], v[3][c]) : vec4(LOWEST);
        bvec4 better = greaterThan(candidate, best);
        if (CONFIDENCE != 0 && id < p.classes) {
            vec4 e = exp(-abs(candidate - best) * mean); // 0 the first time: best is LOWEST
            total = mix(total + e, total * e + 1.0, better);
        }
        best = mix(best, candidate, better);
        label = mix(label, uvec4(id), better);
    }
}

void slide()
{
    uvec2 covering = covering_crops();
    uint first_crop = covering.x != 0 ? findLSB(covering.x) : 32 + findLSB(covering.y);
    Taps first = taps(crops[first_crop]);
    vec4 first_cover = covered(crops[first_crop]);
    if (CONFIDENCE != 0) {
        vec4 over = vec4(0);
        for (uint k = 0; k < p.crops; k++)
            over += covered(crops[k]);
        mean = 1.0 / max(over, vec4(1));
    }
    if (covering.x != 0)
        covering.x &= covering.x - 1;
    else
        covering.y &= covering.y - 1;
    for (uint q = 0; q < (p.classes + 3) / 4; q++) {
        vec4 v[4] = vec4[4](vec4(0), vec4(0), vec4(0), vec4(0));
        add(first, q, first_cover, v);
        for (uint w = 0; w < 2; w++)
            for (uint m = covering[w]; m != 0; m &= m - 1) {
                uvec4 crop = crops[32 * w + uint(findLSB(m))];
                add(taps(crop), q, covered(crop), v);
            }
        choose(q, v);
    }
}

void whole()
{
    uvec2 bits = remaining();
    Taps t = taps(uvec4(0));
    for (uint w = 0; w < 2; w++)
        for (uint m = bits[w]; m != 0; m &= m - 1) {
            vec4 v[4] = vec4[4](vec4(0), vec4(0), vec4(0), vec4(0));
            uint q = 32 * w + uint(findLSB(m));
            add(t, q, vec4(1), v);
            choose(q, v);
        }
}

void main()
{
    uint x = gl_GlobalInvocationID.x * 4, y = gl_GlobalInvocationID.y;
    if (x >= p.width || y >= p.height)
        return;
    locate(x, y);
    if (SLIDE != 0)
        slide();
    else
        whole();
    uvec4 inside = uvec4(lessThan(x + uvec4(0, 1, 2, 3), uvec4(p.width)));
    label *= inside;
    if (CONFIDENCE != 0) {
        uvec4 c = uvec4(clamp(255.0 / total + 0.5, vec4(0), vec4(255))) * inside;
        confidence[(y * p.label_stride + x) / 4] = c.x | c.y << 8 | c.z << 16 | c.w << 24;
    }
    labels[(y * p.label_stride + x) / 4] = label.x | label.y << 8 | label.z << 16 | label.w << 24;
}
