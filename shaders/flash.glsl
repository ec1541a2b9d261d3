// SPDX-License-Identifier: Apache-2.0
// Softmax over keys that arrive in chunks, shared by natten and attention. An invocation holds NQ queries; for each
// the largest logit so far, the sum of exponentials below it and the values weighted by them, all float32. SPLIT
// invocations may hold the same queries and see different keys; flash_merge puts their parts together.
//
// The includer defines, as specialisation constants: LANES (invocations of one part), SPLIT (a power of two),
// NQ, D4 (quads a head), POOL (quads of shared memory, at least FLASH_POOL where SPLIT > 1).
#ifndef FLASH_GLSL
#define FLASH_GLSL

// An impossibly low first maximum, finite so that no exponent is a difference of infinities.
#define FLASH_NONE (-1e30)
// Logits of keys to be left out.
#define FLASH_OUT (-3.0e38)

shared QUAD pool[POOL];

float flash_max[NQ], flash_sum[NQ];
vec4 flash_acc[NQ * D4];

void flash_init()
{
    [[unroll]] for (uint k = 0; k < NQ; k++) {
        flash_max[k] = FLASH_NONE;
        flash_sum[k] = 0.0;
        [[unroll]] for (uint j = 0; j < D4; j++)
            flash_acc[k * D4 + j] = vec4(0.0);
    }
}

// Weighs query k's sums anew: their exponents are relative to `top` from now on.
void flash_raise(uint k, float top)
{
    float f = exp(flash_max[k] - top);
    flash_max[k] = top;
    flash_sum[k] *= f;
    [[unroll]] for (uint j = 0; j < D4; j++)
        flash_acc[k * D4 + j] *= f;
}

vec4 flash_result(uint k, uint j)
{
    return flash_acc[k * D4 + j] / flash_sum[k];
}

// A float32 quad in the pool, whatever the storage.
void pool_put(uint i, vec4 v)
{
#ifdef F16
    pool[2 * i] = floatBitsToUint(v.xy);
    pool[2 * i + 1] = floatBitsToUint(v.zw);
#else
    pool[i] = v;
#endif
}

vec4 pool_get(uint i)
{
#ifdef F16
    return vec4(uintBitsToFloat(pool[2 * i]), uintBitsToFloat(pool[2 * i + 1]));
#else
    return pool[i];
#endif
}

void flash_send(uint k, uint slot, uint slots)
{
    pool_put(slot, vec4(flash_max[k], flash_sum[k], 0.0, 0.0));
    [[unroll]] for (uint j = 0; j < D4; j++)
        pool_put((j + 1) * slots + slot, flash_acc[k * D4 + j]);
}

void flash_receive(uint k, uint slot, uint slots)
{
    vec4 other = pool_get(slot);
    float top = max(flash_max[k], other.x);
    float f = exp(other.x - top);
    flash_raise(k, top);
    flash_sum[k] += f * other.y;
    [[unroll]] for (uint j = 0; j < D4; j++)
        flash_acc[k * D4 + j] += f * pool_get((j + 1) * slots + slot);
}

// Adds the upper half of the parts to the lower half until part 0 holds all. Every invocation calls it.
// One query at a time, through LANES * SPLIT / 2 * (D4 + 1) float32 quads of the pool.
void flash_merge(uint lane, uint part)
{
    for (uint half_ = SPLIT / 2; half_ > 0; half_ /= 2) {
        [[unroll]] for (uint k = 0; k < NQ; k++) {
            uint slots = half_ * LANES;
            barrier();
            if (part >= half_ && part < 2 * half_)
                flash_send(k, (part - half_) * LANES + lane, slots);
            barrier();
            if (part < half_)
                flash_receive(k, part * LANES + lane, slots);
        }
    }
}

#endif
