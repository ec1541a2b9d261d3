/* SPDX-License-Identifier: Apache-2.0 */
#include "golden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vk/half.h"

static const void *raw(const struct golden *g, const char *name)
{
    const struct checkpoint_tensor *t = checkpoint_find(g->file, name);
    return t ? checkpoint_raw(g->file, t) : NULL;
}

static uint32_t number(const struct golden *g, const char *key)
{
    const char *text = checkpoint_metadata(g->file, key);
    return text ? (uint32_t)atoi(text) : 0;
}

bool golden_open(struct golden *g, const char *path, struct segman_error *error)
{
    *g = (struct golden){.file = checkpoint_open(path, error)};
    if (!g->file)
        return false;
    const char *variant = checkpoint_metadata(g->file, "variant");
    snprintf(g->variant, sizeof(g->variant), "%s", variant ? variant : "");
    g->classes = number(g, "classes");
    g->width = number(g, "width");
    g->height = number(g, "height");
    g->image = raw(g, "image");
    if (!g->image && g->width && g->height && (g->made = malloc(3ull * g->width * g->height))) {
        procedural_image(g->height, g->width, g->made);
        g->image = g->made;
    }
    g->labels = raw(g, "labels");
    g->margin = raw(g, "margin");
    for (size_t i = 0; i < checkpoint_count(g->file) && g->n_tensors < 256; i++) {
        const struct checkpoint_tensor *t = checkpoint_at(g->file, i);
        if (t->dtype == CHECKPOINT_F32)
            g->tensor[g->n_tensors++] = strdup(t->name);
    }
    if (!g->image || !g->labels || !g->margin || !g->width || !g->height || !g->classes) {
        golden_close(g);
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s is no golden file", path);
    }
    return true;
}

void golden_close(struct golden *g)
{
    for (size_t i = 0; i < g->n_tensors; i++)
        free(g->tensor[i]);
    checkpoint_destroy(g->file);
    free(g->made);
    *g = (struct golden){0};
}

float *golden_tensor(const struct golden *g, size_t i, uint64_t *count)
{
    const struct checkpoint_tensor *t = checkpoint_find(g->file, g->tensor[i]);
    float *out = t ? malloc(t->count * sizeof(*out)) : NULL;
    *count = t ? t->count : 0;
    if (out && !checkpoint_read(g->file, t->name, t->rank, t->shape, out, NULL)) {
        free(out);
        out = NULL;
    }
    return out;
}

void golden_fill(const struct golden *g, const struct segman_planes *planes)
{
    size_t n = (size_t)g->width * g->height;
    for (uint32_t y = 0; y < g->height; y++)
        for (uint32_t x = 0; x < g->width; x++) {
            uint8_t *p = planes->plane[0] + (size_t)y * planes->stride[0] + 4 * x;
            for (uint32_t c = 0; c < 3; c++)
                p[c] = g->image[c * n + (size_t)y * g->width + x];
            p[3] = 255;
        }
}

double relative_l2(const float *a, const float *b, uint64_t n)
{
    double diff = 0, norm = 0;
    for (uint64_t i = 0; i < n; i++) {
        double d = (double)a[i] - b[i];
        diff += d * d;
        norm += (double)b[i] * b[i];
    }
    double r = sqrt(diff / (norm > 0 ? norm : 1));
    return isfinite(r) ? r : INFINITY;
}

void golden_compare_labels(const struct golden *g, const uint8_t *labels, uint32_t stride, double *all, double *clear)
{
    size_t same = 0, same_clear = 0, n_clear = 0;
    for (uint32_t y = 0; y < g->height; y++)
        for (uint32_t x = 0; x < g->width; x++) {
            size_t i = (size_t)y * g->width + x;
            uint16_t half;
            memcpy(&half, &g->margin[i], sizeof(half));
            bool equal = labels[(size_t)y * stride + x] == g->labels[i], is_clear = half_to_float(half) > 0.25f;
            same += equal;
            n_clear += is_clear;
            same_clear += equal && is_clear;
        }
    *all = (double)same / ((double)g->width * g->height);
    *clear = n_clear ? (double)same_clear / (double)n_clear : 1;
}
