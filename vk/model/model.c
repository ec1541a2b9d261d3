/* SPDX-License-Identifier: Apache-2.0 */
/* A model: a checkpoint whose tensors were checked against the network that its shapes describe. */
#include "../context.h"
#include "dataset.h"

#include <stdlib.h>
#include <string.h>

/* Notes every tensor that the network asks for, to count them and to find those that it never asks for. */
struct inventory {
    const struct checkpoint *checkpoint;
    const char **names; /* owned strings */
    size_t count, cap;
    uint64_t parameters;
};

static bool note(struct inventory *inv, const char *name, struct segman_error *error)
{
    if (inv->count == inv->cap) {
        size_t cap = inv->cap ? 2 * inv->cap : 1024;
        const char **p = realloc(inv->names, cap * sizeof(*p));
        if (!p)
            return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        inv->names = p;
        inv->cap = cap;
    }
    char *copy = strdup(name);
    if (!copy)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    inv->names[inv->count++] = copy;
    return true;
}

static bool inventory_expect(void *user, const char *name, uint32_t rank, const uint64_t *shape, struct segman_error *error)
{
    struct inventory *inv = user;
    uint64_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= shape[i];
    inv->parameters += n;
    return checkpoint_expect(inv->checkpoint, name, rank, shape, error) && note(inv, name, error);
}

static bool inventory_read(void *user, const char *name, uint32_t rank, const uint64_t *shape, float *out, struct segman_error *error)
{
    struct inventory *inv = user;
    return checkpoint_read(inv->checkpoint, name, rank, shape, out, error);
}

static bool model_expect(void *user, const char *name, uint32_t rank, const uint64_t *shape, struct segman_error *error)
{
    return checkpoint_expect(user, name, rank, shape, error);
}

static bool model_read(void *user, const char *name, uint32_t rank, const uint64_t *shape, float *out, struct segman_error *error)
{
    return checkpoint_read(user, name, rank, shape, out, error);
}

struct net_weights model_weights(struct segman_model *model)
{
    return (struct net_weights){.user = model->checkpoint, .expect = model_expect, .read = model_read};
}

/* Builds the graph at the smallest size, for its checks alone. */
static bool check(struct segman_model *model, struct segman_error *error)
{
    struct inventory inv = {.checkpoint = model->checkpoint};
    uint32_t side = segman_model_min_side(model);
    struct net *n = net_create(&(struct net_weights){.user = &inv, .expect = inventory_expect, .read = inventory_read});
    bool ok = n != NULL;
    if (!ok)
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    if (ok) {
        segman_build(n, &model->architecture, side, side);
        ok = !net_failed(n, error);
    }
    ok = ok && (checkpoint_is_synthetic(model->checkpoint) || checkpoint_expect_only(model->checkpoint, inv.names, inv.count, error));
    model->tensors = inv.count;
    model->parameters = inv.parameters;
    for (size_t i = 0; i < inv.count; i++)
        free((char *)inv.names[i]);
    free(inv.names);
    net_destroy(n);
    return ok;
}

/* Class names that do not fit the classifier would name every mask wrongly. */
static bool check_dataset(const struct segman_model *model, const char *path, struct segman_error *error)
{
    const struct segman_dataset *d = checkpoint_dataset(model->checkpoint);
    if (d && d->classes != model->architecture.classes)
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s names %u classes, its tensor decode_head.conv_seg.weight has %u", path,
                           d->classes, model->architecture.classes);
    return true;
}

struct segman_model *segman_model_open(struct segman_context *context, const char *path, struct segman_error *error)
{
    struct segman_model *model = calloc(1, sizeof(*model));
    if (!model) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    model->context = context;
    model->checkpoint = checkpoint_open(path, error);
    if (!model->checkpoint || !architecture_find(&model->architecture, model->checkpoint, error) || !check(model, error) ||
        !check_dataset(model, path, error)) {
        segman_model_destroy(model);
        return NULL;
    }
    return model;
}

void segman_model_destroy(struct segman_model *model)
{
    if (!model)
        return;
    checkpoint_destroy(model->checkpoint);
    free(model);
}

const struct segman_architecture *segman_model_architecture(const struct segman_model *model)
{
    return &model->architecture;
}

const struct segman_dataset *segman_model_dataset(const struct segman_model *model)
{
    return checkpoint_dataset(model->checkpoint);
}

void segman_style_default(struct segman_style *style, const struct segman_model *model, const struct segman_dataset *dataset)
{
    *style = (struct segman_style){.opacity = 0.5f};
    if (!dataset && model)
        dataset = segman_model_dataset(model);
    for (uint32_t i = 0; i < SEGMAN_MAX_CLASSES; i++) {
        if (dataset && i < dataset->classes)
            memcpy(style->palette[i], dataset->palette[i], 3);
        else
            dataset_generate_color(i, style->palette[i]);
        style->palette[i][3] = 255;
    }
}

uint32_t segman_model_min_side(const struct segman_model *model)
{
    uint32_t side = 32;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t need = model->architecture.windows[i] << (i + 2); /* stage i works at 1/2^(i+2) */
        side = need > side ? need : side;
    }
    return (side + 31) / 32 * 32;
}

void segman_model_count(const struct segman_model *model, uint64_t *tensors, uint64_t *parameters)
{
    *tensors = model->tensors;
    *parameters = model->parameters;
}

bool segman_model_tensor(const struct segman_model *model, size_t i, struct segman_tensor_info *info)
{
    const struct checkpoint_tensor *t = checkpoint_at(model->checkpoint, i);
    if (!t)
        return false;
    *info = (struct segman_tensor_info){.name = t->name, .dtype = t->dtype_name, .rank = t->rank};
    memcpy(info->shape, t->shape, sizeof(info->shape));
    return true;
}
