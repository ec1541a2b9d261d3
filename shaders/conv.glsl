// SPDX-License-Identifier: Apache-2.0
// What conv.comp, conv_cpu.comp, conv_coop.comp and conv_lanes.comp share: bindings, epilogue, where a pixel reads.
//
// Dense convolution as an implicit matrix product: Y (m, n) = act(X (m, k) W (k, n) + bias) * scale + shift + R.
// m: output pixels, n: output channels, k: (ky, kx, input channel) with the channels rounded up to quads.
#ifndef CONV_GLSL
#define CONV_GLSL

layout(constant_id = 5) const uint KERNEL = 1;
layout(constant_id = 6) const uint STRIDE = 1;
layout(constant_id = 7) const uint PADDED = 0; // whether a tap may lie outside of the input
layout(constant_id = 8) const uint ACT = ACT_NONE;
layout(constant_id = 9) const uint SCALE = 0;
layout(constant_id = 10) const uint RESIDUAL = 0; // 1: added last; 2: before the activation
layout(constant_id = 11) const uint ROPE = 0;  // d / 4 of a qkv tensor's heads: their rotation; 0: none
layout(constant_id = 12) const uint WIDTH = 1; // where there is a rotation: of the output
const bool LINEAR = KERNEL == 1 && STRIDE == 1 && PADDED == 0;

layout(push_constant) uniform Push { conv_push p; };
layout(std430, binding = 0) restrict readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) restrict readonly buffer W { QUAD w[]; }; // [k][nq], then float32 bias, scale, shift [nq] each, rotary table
layout(std430, binding = 2) restrict readonly buffer R { QUAD r[]; };
layout(std430, binding = 3) restrict writeonly buffer Y { QUAD y[]; };

// Quad i of the float32 parameters behind the weights.
vec4 param(uint i)
{
#ifdef F16
    return uintBitsToFloat(uvec4(w[p.params + 2 * i], w[p.params + 2 * i + 1]));
#else
    return w[p.params + i];
#endif
}

// Top left input pixel of output pixel m (which may lie in the border); pixels past the end read the last one.
ivec2 window(uint m)
{
    m = min(m, p.m - 1);
    return ivec2(m % p.out_w, m / p.out_w) * int(STRIDE) - int(p.pad);
}

// Pair i of the rotary table: cosine and sine.
vec2 turn_at(uint i)
{
#ifdef F16
    return uintBitsToFloat(w[p.turns + i]);
#else
    vec4 two = w[p.turns + i / 2];
    return i % 2 == 0 ? two.xy : two.zw;
#endif
}

// Cosine and sine of pair t of a head at pixel m: the first d / 4 pairs turn with the row, the others with the column.
vec2 turn(uint t, uint m)
{
    bool by_row = t < ROPE;
    return turn_at((by_row ? m / WIDTH : m % WIDTH) * ROPE + (by_row ? t : t - ROPE));
}

vec2 rotate(vec2 v, vec2 t)
{
    return vec2(v.x * t.x - v.y * t.y, v.y * t.x + v.x * t.y);
}

QUAD residual(uint m, uint n)
{
    return RESIDUAL != 0 && n < p.rq ? r[m * p.r_stride + p.r_offset + n] : QUAD(0);
}

// Quad n from its rotated sums: the steps after that.
QUAD finished_turned(uint n, vec4 v, QUAD r, bool add)
{
    if (RESIDUAL == 2 && add)
        v += load_quad(r);
    v = activate(v, ACT);
    if (SCALE != 0)
        v = v * param(p.nq + n) + param(2 * p.nq + n);
    if (RESIDUAL == 1 && add)
        v += load_quad(r);
    return store_quad(v);
}

// Quad n of pixel m from its sums with the bias; adds the residual, or not because it is in the sums already.
QUAD finished(uint m, uint n, vec4 v, QUAD r, bool add)
{
    if (ROPE != 0 && n < 2 * p.turn_quads) {
        uint t = 2 * (n % ROPE);
        v = vec4(rotate(v.xy, turn(t, m)), rotate(v.zw, turn(t + 1, m)));
    }
    return finished_turned(n, v, r, add);
}

void epilogue(uint m, uint n, vec4 v)
{
    if (m < p.m && n < p.n_store)
        y[m * p.y_stride + p.y_offset + n] = finished(m, n, v + param(n), residual(m, n), true);
}

#endif
