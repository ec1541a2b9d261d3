/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mmseg (0.x by mmcv, 1.x by mmengine) puts into a checkpoint: {"state_dict": weights, "meta":
 * {"CLASSES": names, "PALETTE": colours} or {"dataset_meta": {"classes": ..., "palette": ...}}, and
 * training state that is not looked at}. A bare dictionary of weights is taken too.
 */
#include "dataset.h"
#include "pth.h"

#include <string.h>

static bool has_tensor(const struct pickle_value *dict)
{
    for (size_t i = 1; dict && dict->kind == PICKLE_DICT && i < dict->list.count; i += 2) {
        if (dict->list.items[i]->kind == PICKLE_TENSOR)
            return true;
    }
    return false;
}

/* The averaged weights (timm's name for them) are the ones to use where a file has both. */
static const struct pickle_value *find_weights(const struct pickle_value *root)
{
    static const char *const keys[] = {"state_dict_ema", "state_dict"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct pickle_value *dict = pickle_get(root, keys[i]);
        if (has_tensor(dict))
            return dict;
    }
    return has_tensor(root) ? root : NULL;
}

static bool fail_without_weights(struct checkpoint *checkpoint, const struct pickle_value *root, struct segman_error *error)
{
    char keys[160] = "", key[40];
    size_t n = 0;
    if (root->kind != PICKLE_DICT)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "holds no dictionary of weights (state_dict)");
    for (size_t i = 0; i < root->list.count && n < sizeof(keys) - 1; i += 2) {
        const struct pickle_value *k = root->list.items[i];
        if (k->kind == PICKLE_TEXT)
            n += (size_t)snprintf(keys + n, sizeof(keys) - n, "%s%s", n ? ", " : "",
                                  checkpoint_clean(key, sizeof(key), k->text.bytes, k->text.length));
    }
    return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "has no weights under \"state_dict\"; its keys are: %s",
                           n ? keys : "none");
}

static bool take_weights(struct checkpoint *checkpoint, const struct pickle_value *root, struct segman_error *error)
{
    const struct pickle_value *weights = find_weights(root);
    if (!weights)
        return fail_without_weights(checkpoint, root, error);
    for (size_t i = 0; i < weights->list.count; i += 2) {
        const struct pickle_value *key = weights->list.items[i], *value = weights->list.items[i + 1];
        if (key->kind != PICKLE_TEXT || value->kind != PICKLE_TENSOR)
            continue; /* an extra state; what is missed is missed by its name later */
        if (!dataset_text_valid(key->text.bytes, key->text.length))
            return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "a tensor's name is not valid text");
        if (!pth_add(checkpoint, key, value->tensor, error))
            return false;
    }
    return true;
}

static bool is_sequence(const struct pickle_value *value)
{
    return value && (value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST);
}

static bool take_classes(struct checkpoint *checkpoint, const struct pickle_value *classes, struct segman_error *error)
{
    if (!dataset_check_count(classes->list.count, checkpoint->label, error))
        return false;
    checkpoint->dataset = dataset_create((uint32_t)classes->list.count);
    if (!checkpoint->dataset)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_MEMORY, "out of memory");
    for (uint32_t i = 0; i < checkpoint->dataset->classes; i++) {
        const struct pickle_value *text = classes->list.items[i];
        if (text->kind != PICKLE_TEXT)
            return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "class %u is not a text", i);
        if (!dataset_set_class(checkpoint->dataset, i, text->text.bytes, text->text.length, checkpoint->label, error))
            return false;
    }
    const char *name = dataset_guess_name(checkpoint->dataset);
    return dataset_set_name(checkpoint->dataset, name, strlen(name), checkpoint->label, error);
}

static bool take_palette(struct checkpoint *checkpoint, const struct pickle_value *palette, struct segman_error *error)
{
    struct segman_dataset *dataset = checkpoint->dataset;
    if (palette->list.count != dataset->classes)
        return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "has %u classes but a palette of %zu colours", dataset->classes,
                               palette->list.count);
    for (uint32_t i = 0; i < dataset->classes; i++) {
        const struct pickle_value *color = palette->list.items[i];
        if (!is_sequence(color) || color->list.count != 3)
            return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "colour %u of the palette is not (red, green, blue)", i);
        for (unsigned c = 0; c < 3; c++) {
            if (color->list.items[c]->kind != PICKLE_INT)
                return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_FORMAT, "colour %u of the palette is not made of whole numbers", i);
            if (!dataset_set_color(dataset, i, c, color->list.items[c]->integer, checkpoint->label, error))
                return false;
        }
    }
    return true;
}

/* Files without class names are fine; so are palettes that mmseg drew at random (NumPy arrays, opaque here): ours is generated then. */
static bool take_dataset(struct checkpoint *checkpoint, const struct pickle_value *root, struct segman_error *error)
{
    const struct pickle_value *meta = pickle_get(root, "meta");
    const struct pickle_value *places[] = {meta, pickle_get(meta, "dataset_meta"), pickle_get(root, "dataset_meta")};
    static const char *const keys[][2] = {{"CLASSES", "PALETTE"}, {"classes", "palette"}};
    for (size_t i = 0; i < 6; i++) {
        const struct pickle_value *classes = pickle_get(places[i / 2], keys[i % 2][0]);
        const struct pickle_value *palette = pickle_get(places[i / 2], keys[i % 2][1]);
        if (!is_sequence(classes))
            continue;
        return take_classes(checkpoint, classes, error) && (!is_sequence(palette) || take_palette(checkpoint, palette, error));
    }
    return true;
}

bool mmseg_take(struct checkpoint *checkpoint, const struct pickle_value *root, struct segman_error *error)
{
    return take_weights(checkpoint, root, error) && take_dataset(checkpoint, root, error);
}
