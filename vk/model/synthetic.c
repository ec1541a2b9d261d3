/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Procedural weights: every tensor is a function of its own name and shape, so that tests and
 * benchmarks need no file. The arithmetic follows the reference operation by operation: its numbers
 * are float32 after the generator, and every step rounds.
 */
#include "checkpoint_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* GCC does not contract under -std=c11 */
#endif

bool synthetic_open(struct checkpoint *checkpoint, const char *spec, struct segman_error *error)
{
    static const char *const variants[] = {"t", "s", "b", "l", "l2"};
    const char *variant = spec + strlen("synthetic:");
    size_t length = strcspn(variant, ":");
    bool known = false;
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
        known |= strlen(variants[i]) == length && strncmp(variants[i], variant, length) == 0;
    if (!known)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "\"%.60s\": the variant of synthetic weights must be t, s, b, l or l2", spec);
    memcpy(checkpoint->variant, variant, length);
    checkpoint->classes = 150;
    if (variant[length] == ':') {
        const char *digits = variant + length + 1;
        size_t n = strspn(digits, "0123456789");
        unsigned long classes = n >= 1 && n <= 3 && !digits[n] ? strtoul(digits, NULL, 10) : 0;
        if (classes < 1 || classes > SEGMAN_MAX_CLASSES)
            return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "\"%.60s\": the number of classes must be 1 to %d", spec, SEGMAN_MAX_CLASSES);
        checkpoint->classes = (uint32_t)classes;
    }
    checkpoint->synthetic = true;
    return true;
}

static uint64_t fnv1a64(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 0x100000001b3u;
    return h;
}

/* The i-th number in [-1, 1): splitmix64's top 24 bits, so exact in float32. */
static float uniform_at(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float)(z >> 40) * 0x1p-23f - 1.0f;
}

void procedural_uniform(const char *name, uint64_t n, float *out)
{
    uint64_t seed = fnv1a64(name);
    for (uint64_t i = 0; i < n; i++)
        out[i] = uniform_at(seed, i);
}

/* Factor of a matrix or convolution: the variance of the output stays that of the input. */
static float fan_in_scale(const char *name, uint32_t rank, const uint64_t *shape)
{
    uint64_t fan = 1;
    for (uint32_t i = 1; i < rank; i++)
        fan *= shape[i];
    bool branch_end =
        checkpoint_ends_with(name, ".token_mixer.proj.weight") || checkpoint_ends_with(name, ".fc2.weight") || strstr(name, ".cpe");
    return (float)((branch_end ? 0.25 : 1.0) * sqrt(3.0 / (double)fan));
}

/* The values of a tensor are add + scale * uniform. */
static void procedural_rule(const char *name, uint32_t rank, const uint64_t *shape, float *add, float *scale)
{
    static const struct {
        const char *leaf;
        float add, scale;
    } rules[] = {
        {"running_mean", 0.0f, 0.1f}, {"running_var", 1.0f, 0.5f},    {"A_logs", 0.0f, 0.5f},
        {"Ds", 1.0f, 0.2f},           {"dt_projs_bias", -4.0f, 2.0f}, {"bias", 0.0f, 0.1f},
    };
    const char *dot = strrchr(name, '.');
    const char *leaf = dot ? dot + 1 : name;
    *add = 0.0f;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (strcmp(leaf, rules[i].leaf) == 0) {
            *add = rules[i].add;
            *scale = rules[i].scale;
            return;
        }
    }
    if (strcmp(leaf, "dt_projs_weight") == 0 && rank > 0) {
        *scale = (float)pow((double)shape[rank - 1], -0.5);
    } else if (strstr(name, ".rpb.")) {
        *scale = 0.5f;
    } else if (strstr(name, "layer_scale")) {
        *add = 0.3f;
        *scale = 0.2f;
    } else if (strcmp(leaf, "weight") == 0 && rank == 1) {
        *add = 1.0f;
        *scale = 0.2f;
    } else {
        *scale = fan_in_scale(name, rank, shape);
    }
}

void procedural_value(const char *name, uint32_t rank, const uint64_t *shape, float *out)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= shape[i];
    float add, scale;
    procedural_rule(name, rank, shape, &add, &scale);
    procedural_uniform(name, n, out);
    for (uint64_t i = 0; i < n; i++)
        out[i] *= scale;
    /* A loop of its own: in one expression a compiler may fuse both steps and skip a rounding. */
    for (uint64_t i = 0; add != 0.0f && i < n; i++)
        out[i] += add;
}

void procedural_image(uint32_t h, uint32_t w, uint8_t *out)
{
    const uint64_t seed = fnv1a64("image");
    uint64_t i = 0;
    for (int k = 0; k < 3; k++) {
        const double step_x = 0.021 * (k + 1), step_y = 0.017 * (3 - k);
        for (uint32_t y = 0; y < h; y++) {
            for (uint32_t x = 0; x < w; x++, i++) {
                double wave = 127.5 + 80 * sin(step_x * x + step_y * y + k);
                double value = floor(wave + 30 * (double)uniform_at(seed, i));
                out[i] = (uint8_t)fmin(fmax(value, 0), 255);
            }
        }
    }
}
