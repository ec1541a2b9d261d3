/* SPDX-License-Identifier: Apache-2.0 */
/* A session's frame program: checks, buffers, recording, results. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define FIRST_PICTURE   4096         /* words of overlay picture before it grows */
#define READ_BACK_PIECE (256u << 10) /* bytes */

static uint64_t align(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool bad(struct segman_error *error, const char *what)
{
    return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s", what);
}

static bool check_frame(const struct frame_params *p, struct segman_error *error)
{
    const struct segman_frame_format *f = &p->frame;
    if (!f->width || !f->height || f->width > FRAME_MAX_SIDE || f->height > FRAME_MAX_SIDE)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "Frames of %u x %u pixels are not supported: sides are 1 to %u", f->width,
                           f->height, FRAME_MAX_SIDE);
    if ((unsigned)f->format > SEGMAN_FORMAT_I420 || (unsigned)f->matrix > SEGMAN_MATRIX_BT2020 || (unsigned)f->range > SEGMAN_RANGE_FULL ||
        (unsigned)f->site > SEGMAN_CHROMA_TOP_LEFT)
        return bad(error, "Unknown pixel format, matrix, range or chroma site");
    if ((unsigned)p->view > SEGMAN_VIEW_SOURCE || (unsigned)p->resize > SEGMAN_RESIZE_AREA)
        return bad(error, "Unknown view or kind of resize");
    if (p->view != SEGMAN_VIEW_NONE && p->view_format != f->format && p->view_format != SEGMAN_FORMAT_RGBA &&
        p->view_format != SEGMAN_FORMAT_BGRX)
        return bad(error, "A view has the frame's pixel format or an RGB format");
    if (!(p->smooth >= 0 && p->smooth <= 1))
        return bad(error, "Smoothing goes from 0 to 1");
    if (p->skip_still && !(p->still_threshold >= 0))
        return bad(error, "The largest difference of a still frame is not negative");
    if (!p->slots || p->slots > SEGMAN_MAX_SLOTS)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "A session has 1 to %u slots, not %u", SEGMAN_MAX_SLOTS, p->slots);
    return true;
}

static bool check_net(const struct frame_params *p, struct segman_error *error)
{
    const struct net_memory *in = &p->input, *out = &p->logits;
    if (!p->net_width || !p->net_height || p->net_width > FRAME_MAX_SIDE || p->net_height > FRAME_MAX_SIDE)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "A network size of %u x %u is not supported: sides are 1 to %u", p->net_width,
                           p->net_height, FRAME_MAX_SIDE);
    if (in->c != 3 || !out->c || out->c > SEGMAN_MAX_CLASSES)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "A network from 3 to 1..%u channels was expected, not from %u to %u",
                           SEGMAN_MAX_CLASSES, in->c, out->c);
    if (!out->w || !out->h || in->w % out->w || in->h % out->h || in->w / out->w != in->h / out->h)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "Logits of %u x %u are no whole fraction of an input of %u x %u", out->w, out->h,
                           in->w, in->h);
    return true;
}

/* Whether every logit of the resized image lies in a crop (origins are whole multiples of ratio). */
static bool covers(const struct frame_params *p, uint32_t ratio)
{
    size_t w = p->net_width / ratio, h = p->net_height / ratio;
    uint8_t *seen = calloc(h, w);
    bool all = seen != NULL;
    for (uint32_t i = 0; all && i < p->n_crops; i++)
        for (size_t y = 0; y < p->logits.h; y++)
            memset(seen + (p->crops[i].y / ratio + y) * w + p->crops[i].x / ratio, 1, p->logits.w);
    all = all && !memchr(seen, 0, w * h);
    free(seen);
    return all;
}

static bool check_crops(const struct frame_params *p, struct segman_error *error)
{
    static const struct frame_crop whole;
    const struct frame_crop *crops = p->n_crops ? p->crops : &whole;
    uint32_t n = p->n_crops ? p->n_crops : 1, ratio = p->input.w / p->logits.w;
    if (n > FRAME_MAX_CROPS)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%u crops a frame are too many: at most %u; a larger --stride or --crop helps", n,
                           FRAME_MAX_CROPS);
    for (uint32_t i = 0; i < n; i++)
        if (crops[i].x > p->net_width || p->input.w > p->net_width - crops[i].x || crops[i].y > p->net_height ||
            p->input.h > p->net_height - crops[i].y || crops[i].x % ratio || crops[i].y % ratio)
            return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "A crop of %u x %u at %u, %u does not fit an image of %u x %u", p->input.w,
                               p->input.h, crops[i].x, crops[i].y, p->net_width, p->net_height);
    bool fits = p->input.w == p->net_width && p->input.h == p->net_height;
    if (n == 1 ? !fits : p->net_width % ratio || p->net_height % ratio || !covers(p, ratio))
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%u crops of %u x %u do not cover an image of %u x %u", n, p->input.w, p->input.h,
                           p->net_width, p->net_height);
    return true;
}

/* ---- create ---------------------------------------------------------------------------------- */

static bool copy_crops(struct frame_program *f, struct segman_error *error)
{
    uint32_t n = f->p.n_crops ? f->p.n_crops : 1;
    struct frame_crop *crops = calloc(n, sizeof(*crops));
    if (crops && f->p.n_crops)
        memcpy(crops, f->p.crops, n * sizeof(*crops));
    f->p.crops = crops;
    f->p.n_crops = n;
    return crops || segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
}

/* Where the shader finds each crop's logits, see frame_labels.comp. */
static bool create_crops(struct frame_program *f, struct segman_error *error)
{
    uint32_t table[FRAME_MAX_CROPS][4] = {{0}}, quad = f->seen.f16 ? 8 : 16;
    for (uint32_t i = 0; i < f->p.n_crops; i++) {
        table[i][0] = f->p.crops[i].x;
        table[i][1] = f->p.crops[i].y;
        table[i][2] = (uint32_t)(i * f->crop_pitch / quad);
        table[i][3] = f->p.crops[i].x / f->ratio | f->p.crops[i].y / f->ratio << 16;
    }
    uint64_t bytes = f->p.n_crops * sizeof(table[0]);
    return gpu_buffer_init(f->gpu, &f->crop_table, bytes, GPU_MEMORY_DEVICE, error) &&
           gpu_buffer_write(f->gpu, &f->crop_table, 0, table, bytes, error) &&
           (frame_temporal(f) || gpu_buffer_init(f->gpu, &f->crop_logits, f->p.n_crops * f->crop_pitch, GPU_MEMORY_DEVICE, error));
}

static uint64_t scratch_size(const struct frame_program *f)
{
    return (uint64_t)f->scratch_stride * f->p.frame.height * 4;
}

/* A kept RGB frame is copied even in unified memory: the host may fill the slot again while a draw still reads it. */
static bool owns_frame(const struct frame_program *f)
{
    return (f->p.keep && frame_is_rgb(f->p.frame.format)) || (f->staged && f->p.own_uploads);
}

static bool owns_result(const struct frame_program *f)
{
    return f->staged && (f->p.keep || f->p.own_read_backs);
}

static bool create_shared(struct frame_program *f, struct segman_error *error)
{
    bool rgb = frame_is_rgb(f->p.frame.format);
    if (frame_temporal(f) && !frame_temporal_create(f, error))
        return false;
    uint64_t cells = (uint64_t)(f->p.logits.w + 1) * (f->p.logits.h + 1);
    if (f->p.n_crops > 1 ? !create_crops(f, error) : !gpu_buffer_init(f->gpu, &f->candidates, cells * 8, GPU_MEMORY_DEVICE, error))
        return false;
    if (f->crop_logits.size)
        f->seen.range = (struct gpu_range){&f->crop_logits, 0, f->crop_logits.size};
    if (!rgb && !f->p.keep && !gpu_buffer_init(f->gpu, &f->scratch, scratch_size(f), GPU_MEMORY_DEVICE, error))
        return false;
    if (!f->staged)
        return true;
    return (owns_frame(f) || gpu_buffer_init(f->gpu, &f->device_frame, f->upload_size, GPU_MEMORY_DEVICE, error)) &&
           (owns_result(f) || gpu_buffer_init(f->gpu, &f->device_result, f->result_size, GPU_MEMORY_DEVICE, error));
}

/* What a slot does not share with the others. */
static bool create_own(const struct frame_program *f, struct frame_slot *s, struct segman_error *error)
{
    bool scratch = f->p.keep && !frame_is_rgb(f->p.frame.format);
    if (scratch && !gpu_buffer_init(f->gpu, &s->own_scratch, scratch_size(f), GPU_MEMORY_DEVICE, error))
        return false;
    if (owns_frame(f) && !gpu_buffer_init(f->gpu, &s->own_frame, f->upload_size, GPU_MEMORY_DEVICE, error))
        return false;
    return !owns_result(f) || gpu_buffer_init(f->gpu, &s->own_result, f->result_size, GPU_MEMORY_DEVICE, error);
}

static bool create_slot(struct frame_program *f, uint32_t slot, struct segman_error *error)
{
    struct frame_slot *s = &f->slot[slot];
    if (!gpu_buffer_init(f->gpu, &s->upload, f->upload_size, GPU_MEMORY_UPLOAD, error) ||
        !gpu_buffer_init(f->gpu, &s->result, f->result_size, GPU_MEMORY_READBACK, error))
        return false;
    if (f->p.view != SEGMAN_VIEW_NONE && !gpu_buffer_init(f->gpu, &s->picture[0], FIRST_PICTURE * 4, GPU_MEMORY_UPLOAD, error))
        return false;
    return create_own(f, s, error) && frame_passes_create(f, slot, error);
}

static uint64_t range_alignment(const struct frame_program *f)
{
    const struct gpu_caps *caps = gpu_caps(f->gpu);
    return caps->offset_alignment > 256 ? caps->offset_alignment : 256;
}

static void lay_out(struct frame_program *f)
{
    const struct segman_frame_format *in = &f->p.frame;
    f->colour = frame_colour(in->matrix, in->range);
    f->frame = frame_layout(in->format, in->width, in->height);
    f->style_offset = f->upload_size = f->frame.size;
    f->scratch_stride = (uint32_t)align(in->width, 16);
    f->ratio = f->p.input.w / f->p.logits.w;
    f->crop_pitch = align(f->p.logits.range.size, 16);
    frame_temporal_lay_out(f);
    f->label_stride = (uint32_t)align(in->width, FRAME_STRIDE_ALIGN);
    f->result_size = (uint64_t)f->label_stride * in->height;
    if (f->p.confidence) {
        f->confidence_offset = align(f->result_size, range_alignment(f));
        f->result_size += f->confidence_offset;
    }
    f->picture_capacity = FIRST_PICTURE;
    f->style_version = f->picture_version = 1; /* a slot's are 0: it gets them with its first frame */
    if (f->p.view == SEGMAN_VIEW_NONE)
        return;
    f->view_width = f->p.view == SEGMAN_VIEW_SIDE_BY_SIDE ? 2 * in->width : in->width;
    f->view = frame_layout(f->p.view_format, f->view_width, in->height);
    f->style_offset = align(f->frame.size, range_alignment(f));
    f->upload_size = f->style_offset + sizeof(f->style);
    f->view_offset = align(f->result_size, range_alignment(f));
    f->result_size = f->view_offset + f->view.size;
}

struct frame_program *frame_program_create(struct gpu *gpu, const struct frame_params *params, struct segman_error *error)
{
    if (!check_frame(params, error) || !check_net(params, error) || !check_crops(params, error))
        return NULL;
    struct frame_program *f = calloc(1, sizeof(*f));
    if (!f) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    f->gpu = gpu;
    f->p = *params;
    f->staged = !gpu_caps(gpu)->unified_memory;
    lay_out(f);
    bool ok = copy_crops(f, error) && create_shared(f, error);
    if (ok && !(f->picture = malloc(FIRST_PICTURE * 4)))
        ok = segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    for (uint32_t i = 0; ok && i < f->p.slots; i++)
        ok = create_slot(f, i, error);
    if (!ok) {
        frame_program_destroy(f);
        return NULL;
    }
    return f;
}

void frame_program_destroy(struct frame_program *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->p.slots; i++) {
        struct frame_slot *s = &f->slot[i];
        frame_passes_destroy(f, i);
        struct gpu_buffer *own[] = {&s->upload, &s->result, &s->picture[0], &s->picture[1], &s->own_frame, &s->own_scratch, &s->own_result};
        for (size_t k = 0; k < sizeof(own) / sizeof(*own); k++)
            gpu_buffer_finish(f->gpu, own[k]);
    }
    struct gpu_buffer *shared[] = {&f->scratch, &f->candidates, &f->device_frame, &f->device_result, &f->crop_table, &f->crop_logits};
    for (size_t k = 0; k < sizeof(shared) / sizeof(*shared); k++)
        gpu_buffer_finish(f->gpu, shared[k]);
    frame_temporal_destroy(f);
    free((void *)f->p.crops);
    free(f->picture);
    free(f);
}

static uint64_t slot_memory(const struct frame_slot *s, uint32_t side)
{
    return s->upload.size + s->result.size + s->picture[side].size + s->own_frame.size + s->own_scratch.size + s->own_result.size;
}

uint64_t frame_program_memory(const struct frame_program *f)
{
    uint64_t sum = f->scratch.size + f->candidates.size + f->device_frame.size + f->device_result.size + f->crop_table.size +
                   f->crop_logits.size + frame_temporal_memory(f);
    for (uint32_t i = 0; i < f->p.slots; i++)
        sum += slot_memory(&f->slot[i], f->picture_side);
    return sum;
}

uint32_t frame_program_crops(const struct frame_program *f)
{
    return f->p.n_crops;
}

/* ---- where a slot's memory is ------------------------------------------------------------------ */

const struct gpu_buffer *frame_source(const struct frame_program *f, const struct frame_slot *s)
{
    if (s->own_frame.size)
        return &s->own_frame;
    return f->staged ? &f->device_frame : &s->upload;
}

struct gpu_range frame_rgb(const struct frame_program *f, const struct frame_slot *s)
{
    if (frame_is_rgb(f->p.frame.format))
        return (struct gpu_range){frame_source(f, s), 0, f->frame.size};
    return (struct gpu_range){s->own_scratch.size ? &s->own_scratch : &f->scratch, 0, scratch_size(f)};
}

const struct gpu_buffer *frame_results(const struct frame_program *f, const struct frame_slot *s)
{
    if (!f->staged)
        return &s->result;
    return s->own_result.size ? &s->own_result : &f->device_result;
}

uint32_t frame_rgb_stride(const struct frame_program *f)
{
    return frame_is_rgb(f->p.frame.format) ? f->frame.plane[0].stride / 4 : f->scratch_stride;
}

struct frame_kept frame_kept(const struct frame_program *f, uint32_t slot)
{
    const struct frame_slot *s = &f->slot[slot];
    const struct gpu_buffer *results = frame_results(f, s);
    uint64_t bytes = (uint64_t)f->label_stride * f->p.frame.height;
    return (struct frame_kept){.width = f->p.frame.width,
                               .height = f->p.frame.height,
                               .picture = frame_rgb(f, s),
                               .stride = frame_rgb_stride(f),
                               .bgr = f->p.frame.format == SEGMAN_FORMAT_BGRX,
                               .labels = {results, 0, bytes},
                               .confidence = {results, f->confidence_offset, f->p.confidence ? bytes : 0},
                               .label_stride = f->label_stride};
}

/* ---- recording ------------------------------------------------------------------------------- */

void frame_record_pass(const struct frame_program *f, struct gpu_commands *commands, const struct net_pass *pass)
{
    if (!pass->pass)
        return;
    bool barrier = gpu_commands_pass(commands, pass->pass);
    if (f->p.recorded)
        f->p.recorded(f->p.user, commands, pass, barrier);
}

static void copy(struct gpu_commands *commands, const struct gpu_buffer *from, const struct gpu_buffer *to, uint64_t size)
{
    gpu_commands_copy(commands, (struct gpu_range){from, 0, size}, (struct gpu_range){to, 0, size});
}

void frame_record_upload(const struct frame_program *f, uint32_t slot, struct gpu_commands *commands)
{
    const struct frame_slot *s = &f->slot[slot];
    if (frame_source(f, s) != &s->upload)
        copy(commands, &s->upload, frame_source(f, s), f->upload_size);
}

/*
 * A copy to the host at full speed holds up the passes that run beside it, for half of its time on an H100: one in pieces leaves gaps.
 */
void frame_record_read_back(const struct frame_program *f, uint32_t slot, struct gpu_commands *commands)
{
    const struct frame_slot *s = &f->slot[slot];
    const uint64_t size = f->staged ? f->result_size : 0, piece = f->p.own_read_backs ? READ_BACK_PIECE : size;
    for (uint64_t at = 0; at < size; at += piece)
        gpu_commands_copy(commands, (struct gpu_range){frame_results(f, s), at, size - at < piece ? size - at : piece},
                          (struct gpu_range){&s->result, at, piece});
}

/* The style is left out: the host may be writing it. */
void frame_record_source(const struct frame_program *f, uint32_t slot, struct gpu_commands *commands)
{
    const struct frame_slot *s = &f->slot[slot];
    if (frame_source(f, s) != &s->upload)
        copy(commands, &s->upload, frame_source(f, s), f->frame.size);
    frame_record_pass(f, commands, &s->convert);
}

/* The decision has converted the frame and made all crops' inputs; the last one is still there. */
void frame_record_input(struct frame_program *f, uint32_t slot, struct gpu_commands *commands, uint32_t crop)
{
    struct frame_slot *s = &f->slot[slot];
    if (!crop && !f->p.skip_still)
        frame_record_pass(f, commands, &s->convert);
    if (!f->p.skip_still || f->p.n_crops > 1)
        frame_record_pass(f, commands, &s->input[crop]);
    if (!f->p.skip_still)
        frame_record_pass(f, commands, &s->motion[crop]);
}

void frame_record_crop(struct frame_program *f, uint32_t slot, struct gpu_commands *commands, uint32_t crop)
{
    /* One buffer serves all slots: they run one after the other. */
    if (frame_temporal(f))
        frame_record_pass(f, commands, &f->slot[slot].evidence[crop]);
    else if (f->p.n_crops > 1)
        gpu_commands_copy(commands, f->p.logits.range, (struct gpu_range){&f->crop_logits, crop * f->crop_pitch, f->p.logits.range.size});
}

void frame_record_output(struct frame_program *f, uint32_t slot, struct gpu_commands *commands)
{
    struct frame_slot *s = &f->slot[slot];
    gpu_commands_indirect(commands, NULL, NULL);
    frame_record_pass(f, commands, &s->candidates);
    frame_record_pass(f, commands, &s->labels);
    for (uint32_t i = 0; i < FRAME_MAX_BLEND; i++)
        frame_record_pass(f, commands, &s->blend[i]);
}

/* ---- a slot's memory ------------------------------------------------------------------------- */

struct segman_planes frame_planes(const struct frame_program *f, uint32_t slot)
{
    return frame_layout_planes(&f->frame, f->slot[slot].upload.map);
}

void frame_result(const struct frame_program *f, uint32_t slot, struct segman_result *result)
{
    uint8_t *map = f->slot[slot].result.map;
    frame_temporal_result(f, slot, result);
    result->labels = map;
    result->labels_stride = f->label_stride;
    result->confidence = f->p.confidence ? map + f->confidence_offset : NULL;
    result->view = (struct segman_planes){0};
    result->view_width = result->view_height = 0;
    if (f->p.view == SEGMAN_VIEW_NONE)
        return;
    result->view = frame_layout_planes(&f->view, map + f->view_offset);
    result->view_width = f->view_width;
    result->view_height = f->p.frame.height;
}
