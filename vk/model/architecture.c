/* SPDX-License-Identifier: Apache-2.0 */
/* The architecture, read off a checkpoint's shapes: no table decides it, the table only names what was found. */
#include "architecture.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Reference: VARIANTS; hidden = int(ratio * dim). */
static const struct segman_architecture variants[] = {
    {"t", {32, 64, 144, 192}, {2, 2, 4, 2}, {1, 2, 4, 8}, {11, 9, 9, 7}, {128, 256, 432, 576}, false, 7, 128, 192, 150},
    {"s", {64, 144, 288, 512}, {2, 2, 10, 4}, {2, 4, 8, 16}, {11, 9, 7, 7}, {256, 576, 979, 1740}, false, 7, 144, 288, 150},
    {"b", {96, 160, 364, 560}, {4, 4, 18, 4}, {4, 8, 13, 20}, {11, 9, 7, 7}, {384, 640, 1092, 1680}, true, 7, 180, 320, 150},
    {"l", {96, 192, 432, 640}, {4, 4, 28, 4}, {4, 8, 12, 20}, {11, 9, 7, 7}, {384, 768, 1296, 1920}, true, 7, 224, 432, 150},
    {"l2", {96, 192, 448, 640}, {4, 4, 26, 4}, {4, 8, 14, 20}, {11, 9, 7, 7}, {384, 768, 1344, 1920}, true, 7, 224, 448, 150},
};
#define N_VARIANTS (sizeof(variants) / sizeof(variants[0]))

const struct segman_architecture *architecture_variant(const char *name)
{
    for (size_t i = 0; i < N_VARIANTS; i++)
        if (!strcmp(variants[i].variant, name))
            return &variants[i];
    return NULL;
}

/* Looks a tensor up; NULL and a sentence where it is absent or not of this rank. */
static const struct checkpoint_tensor *need(const struct checkpoint *checkpoint, uint32_t rank, struct segman_error *error,
                                            const char *format, ...)
{
    char name[256];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    const struct checkpoint_tensor *t = checkpoint_find(checkpoint, name);
    if (!t)
        segman_fail(error, SEGMAN_ERROR_FORMAT, "This is not a SegMAN checkpoint, or not a whole one: the tensor %s is missing", name);
    else if (t->rank != rank)
        segman_fail(error, SEGMAN_ERROR_FORMAT, "The tensor %s has %u dimensions, expected %u", name, t->rank, rank);
    else
        return t;
    return NULL;
}

static bool set(uint32_t *out, uint64_t value, uint64_t max, const char *name, struct segman_error *error)
{
    if (!value || value > max)
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "The tensor %s has a side of %llu, expected 1 to %llu", name,
                           (unsigned long long)value, (unsigned long long)max);
    *out = (uint32_t)value;
    return true;
}

static uint32_t count_blocks(const struct checkpoint *checkpoint, uint32_t stage)
{
    char name[128];
    uint32_t n = 0;
    do
        snprintf(name, sizeof(name), "backbone.layers.%u.blocks.%u.norm1.weight", 2 * stage, n++);
    while (n < 1000 && checkpoint_find(checkpoint, name));
    return n - 1;
}

/* Side of a square number; 0 where it is none. */
static uint32_t square_root(uint64_t n)
{
    for (uint32_t i = 1; i <= 256; i++)
        if ((uint64_t)i * i == n)
            return i;
    return 0;
}

static bool find_stage(struct segman_architecture *a, uint32_t i, const struct checkpoint *checkpoint, struct segman_error *error)
{
    const struct checkpoint_tensor *norm = need(checkpoint, 1, error, "backbone.layers.%u.blocks.0.norm1.weight", 2 * i);
    const struct checkpoint_tensor *bias = norm ? need(checkpoint, 3, error, "backbone.layers.%u.blocks.0.token_mixer.rpb.0", 2 * i) : NULL;
    const struct checkpoint_tensor *fc1 = bias ? need(checkpoint, 4, error, "backbone.layers.%u.blocks.0.mlp.fc1.weight", 2 * i) : NULL;
    if (!fc1 || !set(&a->dims[i], norm->shape[0], 8192, norm->name, error) || !set(&a->heads[i], bias->shape[0], 256, bias->name, error) ||
        !set(&a->windows[i], (bias->shape[1] + 1) / 2, 31, bias->name, error) ||
        !set(&a->hidden[i], fc1->shape[0], 65536, fc1->name, error))
        return false;
    if (bias->shape[1] % 2 == 0 || bias->shape[1] != bias->shape[2])
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "The tensor %s is %llu x %llu, expected an odd square", bias->name,
                           (unsigned long long)bias->shape[1], (unsigned long long)bias->shape[2]);
    if (a->dims[i] % (4 * a->heads[i]))
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "Stage %u has %u channels in %u heads, expected a multiple of 4 a head", i + 1,
                           a->dims[i], a->heads[i]);
    a->depths[i] = count_blocks(checkpoint, i);
    return true;
}

static bool find_decoder(struct segman_architecture *a, const struct checkpoint *checkpoint, struct segman_error *error)
{
    const struct checkpoint_tensor *seg = need(checkpoint, 4, error, "decode_head.conv_seg.weight");
    const struct checkpoint_tensor *c2 = seg ? need(checkpoint, 2, error, "decode_head.linear_c2.proj.weight") : NULL;
    const struct checkpoint_tensor *table = c2 ? need(checkpoint, 3, error, "backbone.layers.6.blocks.0.token_mixer.rpb.1") : NULL;
    if (!table || !set(&a->classes, seg->shape[0], SEGMAN_MAX_CLASSES, seg->name, error) ||
        !set(&a->decoder_channels, seg->shape[1], 4096, seg->name, error) || !set(&a->decoder_proj, c2->shape[0], 4096, c2->name, error))
        return false;
    a->image_side = square_root(table->shape[1]);
    if (!a->image_side)
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "The tensor %s has %llu rows, expected a square number", table->name,
                           (unsigned long long)table->shape[1]);
    return true;
}

static void name_variant(struct segman_architecture *a)
{
    snprintf(a->variant, sizeof(a->variant), "custom");
    for (size_t i = 0; i < N_VARIANTS; i++)
        if (!memcmp(a->dims, variants[i].dims, sizeof(a->dims)) && !memcmp(a->depths, variants[i].depths, sizeof(a->depths)))
            memcpy(a->variant, variants[i].variant, sizeof(a->variant));
}

bool architecture_find(struct segman_architecture *a, const struct checkpoint *checkpoint, struct segman_error *error)
{
    uint32_t classes;
    *a = (struct segman_architecture){0};
    if (checkpoint_is_synthetic(checkpoint)) {
        const char *name = checkpoint_synthetic_variant(checkpoint, &classes);
        *a = *architecture_variant(name);
        a->classes = classes;
        return true;
    }
    for (uint32_t i = 0; i < 4; i++)
        if (!find_stage(a, i, checkpoint, error))
            return false;
    a->layer_scale = checkpoint_find(checkpoint, "backbone.layers.0.blocks.0.layer_scale1.weight") != NULL;
    if (!find_decoder(a, checkpoint, error))
        return false;
    name_variant(a);
    return true;
}
