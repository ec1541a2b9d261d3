/* SPDX-License-Identifier: Apache-2.0 */
/* The passes of a slot: convert, input (one a crop), labels, blend. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

static uint32_t groups(uint32_t n, uint32_t per_group)
{
    return (n + per_group - 1) / per_group;
}

/* Memory in which a slot's passes find the frame, and leave labels and view. */
static struct gpu_range source_range(const struct frame_program *f, const struct frame_slot *s)
{
    return (struct gpu_range){frame_source(f, s), 0, f->frame.size};
}

static struct gpu_range labels_range(const struct frame_program *f, const struct frame_slot *s)
{
    return (struct gpu_range){frame_results(f, s), 0, (uint64_t)f->label_stride * f->p.frame.height};
}

/* Without a confidence map the shader's binding still needs memory: it writes nothing there. */
static struct gpu_range confidence_range(const struct frame_program *f, const struct frame_slot *s)
{
    return (struct gpu_range){frame_results(f, s), f->confidence_offset, (uint64_t)f->label_stride * f->p.frame.height};
}

static struct gpu_range view_range(const struct frame_program *f, const struct frame_slot *s)
{
    return (struct gpu_range){frame_results(f, s), f->view_offset, f->view.size};
}

bool frame_pass_create(const struct frame_program *f, struct net_pass *pass, const struct gpu_pass_desc *desc, double flops,
                       struct segman_error *error)
{
    *pass = (struct net_pass){.scope = desc->label, .op = "frame", .flops = flops};
    for (uint32_t i = 0; i < desc->n_bindings; i++)
        pass->bytes += (double)desc->binding[i].range.size;
    for (uint32_t i = 0; i < 3; i++)
        pass->groups[i] = desc->groups[i];
    pass->pass = gpu_pass_create(f->gpu, desc, error);
    const struct gpu_shader *shader = gpu_shader_find(desc->shader);
    pass->shader = shader ? shader->name : NULL; /* outlives desc */
    return pass->pass != NULL;
}

static bool create_convert(const struct frame_program *f, struct frame_slot *s, struct segman_error *error)
{
    const struct segman_frame_format *in = &f->p.frame;
    const struct frame_layout *l = &f->frame;
    bool nv12 = in->format == SEGMAN_FORMAT_NV12;
    const struct frame_convert_push push = {
        .width = in->width,
        .height = in->height,
        .y_offset = l->plane[0].offset,
        .y_stride = l->plane[0].stride,
        .cb_offset = l->plane[1].offset,
        .cr_offset = nv12 ? l->plane[1].offset + 1 : l->plane[2].offset,
        .c_stride = l->plane[1].stride,
        .out_stride = f->scratch_stride,
        .y_black = f->colour.y_black,
        .y_gain = f->colour.y_gain,
        .cr_red = f->colour.cr_red,
        .cb_green = f->colour.cb_green,
        .cr_green = f->colour.cr_green,
        .cb_blue = f->colour.cb_blue,
    };
    struct gpu_pass_desc desc = {
        .shader = "frame_convert",
        .label = "frame.convert",
        .binding = {{source_range(f, s), GPU_READ}, {frame_rgb(f, s), GPU_WRITE}},
        .n_bindings = 2,
        .spec = {nv12, in->site == SEGMAN_CHROMA_CENTER, in->site != SEGMAN_CHROMA_TOP_LEFT},
        .n_spec = 3,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {groups(in->width, 4 * 16), groups(in->height, 4), 1},
    };
    return frame_pass_create(f, &s->convert, &desc, 20.0 * in->width * in->height, error);
}

static bool create_input(const struct frame_program *f, struct frame_slot *s, uint32_t crop, struct segman_error *error)
{
    const struct net_memory *to = &f->p.input;
    const float mean[3] = FRAME_MEAN, std[3] = FRAME_STD;
    const struct frame_input_push push = {
        .src_width = f->p.frame.width,
        .src_height = f->p.frame.height,
        .src_stride = frame_rgb_stride(f),
        .net_width = f->p.net_width,
        .net_height = f->p.net_height,
        .x0 = f->p.crops[crop].x,
        .y0 = f->p.crops[crop].y,
        .width = to->w,
        .height = to->h,
        .stride4 = to->stride4,
        .offset4 = to->offset4,
        .mean_r = mean[0],
        .mean_g = mean[1],
        .mean_b = mean[2],
        .std_r = std[0],
        .std_g = std[1],
        .std_b = std[2],
    };
    bool same = f->p.frame.width == f->p.net_width && f->p.frame.height == f->p.net_height; /* bilinear copies exactly */
    bool area = f->p.resize == SEGMAN_RESIZE_AREA && !same;
    struct gpu_pass_desc desc = {
        .shader = to->f16 ? "frame_input.f16" : "frame_input.f32",
        .label = "frame.input",
        .binding = {{frame_rgb(f, s), GPU_READ}, {to->range, GPU_WRITE}},
        .n_bindings = 2,
        .spec = {area, f->p.frame.format == SEGMAN_FORMAT_BGRX},
        .n_spec = 2,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {groups(to->w, 8), groups(to->h, 8), 1},
    };
    return frame_pass_create(f, &s->input[crop], &desc, 30.0 * to->w * to->h, error);
}

/* Between which four logits which quads of classes may win: spares most classes where logits are smooth. */
static bool create_candidates(const struct frame_program *f, struct frame_slot *s, struct segman_error *error)
{
    const struct net_memory *from = &f->seen;
    const struct frame_candidates_push push = {
        .grid_width = from->w, .grid_height = from->h, .stride4 = from->stride4, .offset4 = from->offset4, .classes = from->c};
    uint32_t lanes = 1, cells = (from->w + 1) * (from->h + 1);
    while (lanes * 4 < from->c)
        lanes *= 2;
    uint32_t n = groups(cells, 64 / lanes), columns = n < 32768 ? n : 32768;
    struct gpu_pass_desc desc = {
        .shader = from->f16 ? "frame_candidates.f16" : "frame_candidates.f32",
        .label = "frame.candidates",
        .binding = {{from->range, GPU_READ}, {{&f->candidates, 0, f->candidates.size}, GPU_WRITE}},
        .n_bindings = 2,
        .spec = {lanes},
        .n_spec = 1,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {columns, groups(n, columns), 1},
    };
    return frame_pass_create(f, &s->candidates, &desc, 10.0 * from->c * cells, error);
}

static bool create_labels(const struct frame_program *f, struct frame_slot *s, struct segman_error *error)
{
    const struct net_memory *from = &f->seen;
    bool slide = f->p.n_crops > 1;
    const struct frame_labels_push push = {
        .width = f->p.frame.width,
        .height = f->p.frame.height,
        .net_width = f->p.net_width,
        .net_height = f->p.net_height,
        .ratio = f->ratio,
        .grid_width = from->w,
        .grid_height = from->h,
        .stride4 = from->stride4,
        .offset4 = from->offset4,
        .classes = from->c,
        .label_stride = f->label_stride,
        .crops = f->p.n_crops,
    };
    /* A word's pixels lie within one logit of each other: three columns hold all their taps. */
    bool share = 3ull * f->p.net_width <= (uint64_t)f->ratio * f->p.frame.width;
    const struct gpu_buffer *table = slide ? &f->crop_table : &f->candidates;
    struct gpu_pass_desc desc = {
        .shader = from->f16 ? "frame_labels.f16" : "frame_labels.f32",
        .label = "frame.labels",
        .binding = {{from->range, GPU_READ},
                    {{table, 0, table->size}, GPU_READ},
                    {labels_range(f, s), GPU_WRITE},
                    {confidence_range(f, s), GPU_WRITE}},
        .n_bindings = 4,
        .spec = {slide, share, f->p.confidence},
        .n_spec = 3,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {groups(f->p.frame.width, 4 * 8), groups(f->p.frame.height, 8), 1},
    };
    return frame_pass_create(f, &s->labels, &desc, 7.0 * from->c * f->p.frame.width * f->p.frame.height, error);
}

static uint32_t shader_view(enum segman_view view)
{
    static const uint32_t map[] = {[SEGMAN_VIEW_OVERLAY] = FRAME_VIEW_OVERLAY,
                                   [SEGMAN_VIEW_MASK] = FRAME_VIEW_MASK,
                                   [SEGMAN_VIEW_SIDE_BY_SIDE] = FRAME_VIEW_SIDE,
                                   [SEGMAN_VIEW_SOURCE] = FRAME_VIEW_SOURCE};
    return map[view];
}

/* What the view's passes have in common. */
static struct gpu_pass_desc blend_desc(const struct frame_program *f, const struct frame_slot *s, uint32_t side, struct gpu_range source)
{
    const struct gpu_range style = {frame_source(f, s), f->style_offset, sizeof(f->style)};
    return (struct gpu_pass_desc){
        .label = "frame.view",
        .binding = {{source, GPU_READ},
                    {labels_range(f, s), GPU_READ},
                    {style, GPU_READ},
                    {{&s->picture[side], 0, s->picture[side].size}, GPU_READ},
                    {view_range(f, s), GPU_WRITE}},
        .n_bindings = 5,
        .spec = {shader_view(f->p.view)},
    };
}

static bool create_blend_rgb(const struct frame_program *f, const struct frame_slot *s, uint32_t side, struct net_pass *pass,
                             struct segman_error *error)
{
    const struct frame_blend_push push = {
        .width = f->p.frame.width,
        .height = f->p.frame.height,
        .view_width = f->view_width,
        .view_height = f->p.frame.height,
        .src_stride = frame_rgb_stride(f),
        .view_stride = f->view.plane[0].stride / 4,
        .label_stride = f->label_stride,
    };
    struct gpu_pass_desc desc = blend_desc(f, s, side, frame_rgb(f, s));
    desc.shader = "frame_blend";
    desc.spec[1] = f->p.frame.format == SEGMAN_FORMAT_BGRX;
    desc.spec[2] = f->p.view_format == SEGMAN_FORMAT_BGRX;
    desc.spec[3] = f->p.frame.format == f->p.view_format;
    desc.n_spec = 4;
    desc.push = &push;
    desc.push_size = sizeof(push);
    desc.groups[0] = groups(f->view_width, 4 * 16);
    desc.groups[1] = groups(f->p.frame.height, 4);
    desc.groups[2] = 1;
    return frame_pass_create(f, pass, &desc, 20.0 * f->view_width * f->p.frame.height, error);
}

static bool create_blend_ycbcr(const struct frame_program *f, const struct frame_slot *s, uint32_t side, struct net_pass *pass, bool chroma,
                               struct segman_error *error)
{
    const struct frame_layout *from = &f->frame, *to = &f->view;
    bool nv12 = f->p.frame.format == SEGMAN_FORMAT_NV12;
    const struct frame_ycbcr_push push = {
        .width = f->p.frame.width,
        .height = f->p.frame.height,
        .view_width = f->view_width,
        .view_height = f->p.frame.height,
        .y_offset = from->plane[0].offset,
        .y_stride = from->plane[0].stride,
        .cb_offset = from->plane[1].offset,
        .cr_offset = from->plane[nv12 ? 1 : 2].offset,
        .c_stride = from->plane[1].stride,
        .view_y_offset = to->plane[0].offset,
        .view_y_stride = to->plane[0].stride,
        .view_cb_offset = to->plane[1].offset,
        .view_cr_offset = to->plane[nv12 ? 1 : 2].offset,
        .view_c_stride = to->plane[1].stride,
        .label_stride = f->label_stride,
        .black = frame_ycbcr(&f->colour, 0, 0, 0),
    };
    struct gpu_pass_desc desc = blend_desc(f, s, side, source_range(f, s));
    uint32_t w = chroma ? (f->view_width + 1) / 2 : f->view_width, h = to->plane[chroma ? 1 : 0].rows;
    desc.shader = "frame_ycbcr";
    desc.spec[1] = chroma;
    desc.spec[2] = nv12;
    desc.n_spec = 3;
    desc.push = &push;
    desc.push_size = sizeof(push);
    desc.groups[0] = groups(w, 4 * 16);
    desc.groups[1] = groups(h, 4);
    desc.groups[2] = 1;
    return frame_pass_create(f, pass, &desc, 20.0 * w * h, error);
}

bool frame_blend_create(const struct frame_program *f, uint32_t slot, uint32_t side, struct net_pass pass[FRAME_MAX_BLEND],
                        struct segman_error *error)
{
    const struct frame_slot *s = &f->slot[slot];
    if (f->p.view == SEGMAN_VIEW_NONE)
        return true;
    if (frame_is_rgb(f->p.view_format))
        return create_blend_rgb(f, s, side, &pass[0], error);
    return create_blend_ycbcr(f, s, side, &pass[0], false, error) && create_blend_ycbcr(f, s, side, &pass[1], true, error);
}

void frame_blend_destroy(const struct frame_program *f, struct net_pass pass[FRAME_MAX_BLEND])
{
    for (uint32_t i = 0; i < FRAME_MAX_BLEND; i++)
        gpu_pass_destroy(f->gpu, pass[i].pass);
}

bool frame_passes_create(struct frame_program *f, uint32_t slot, struct segman_error *error)
{
    struct frame_slot *s = &f->slot[slot];
    s->input = calloc(f->p.n_crops, sizeof(*s->input));
    if (!s->input)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    if (!frame_is_rgb(f->p.frame.format) && !create_convert(f, s, error))
        return false;
    for (uint32_t i = 0; i < f->p.n_crops; i++)
        if (!create_input(f, s, i, error))
            return false;
    if (f->p.n_crops == 1 && !create_candidates(f, s, error))
        return false;
    return frame_temporal_slot_create(f, slot, error) && create_labels(f, s, error) && frame_blend_create(f, slot, 0, s->blend, error);
}

void frame_passes_destroy(struct frame_program *f, uint32_t slot)
{
    struct frame_slot *s = &f->slot[slot];
    frame_temporal_slot_destroy(f, slot);
    gpu_pass_destroy(f->gpu, s->convert.pass);
    gpu_pass_destroy(f->gpu, s->candidates.pass);
    gpu_pass_destroy(f->gpu, s->labels.pass);
    frame_blend_destroy(f, s->blend);
    for (uint32_t i = 0; s->input && i < f->p.n_crops; i++)
        gpu_pass_destroy(f->gpu, s->input[i].pass);
    free(s->input);
    s->input = NULL;
}
