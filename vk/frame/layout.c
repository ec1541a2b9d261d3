/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts of pictures, and the crops of a sliding window. */
#include "frame.h"

bool frame_is_rgb(enum segman_pixel_format format)
{
    return format == SEGMAN_FORMAT_RGBA || format == SEGMAN_FORMAT_BGRX;
}

static void add_plane(struct frame_layout *l, uint32_t bytes, uint32_t rows)
{
    uint32_t stride = (bytes + FRAME_STRIDE_ALIGN - 1) / FRAME_STRIDE_ALIGN * FRAME_STRIDE_ALIGN, i = l->planes++;
    l->plane[i].offset = (uint32_t)l->size;
    l->plane[i].stride = stride;
    l->plane[i].rows = rows;
    l->plane[i].bytes = bytes;
    l->size += (uint64_t)stride * rows;
}

struct frame_layout frame_layout(enum segman_pixel_format format, uint32_t width, uint32_t height)
{
    struct frame_layout l = {.format = format, .width = width, .height = height};
    uint32_t chroma_width = (width + 1) / 2, chroma_height = (height + 1) / 2;
    add_plane(&l, frame_is_rgb(format) ? 4 * width : width, height);
    if (format == SEGMAN_FORMAT_NV12)
        add_plane(&l, 2 * chroma_width, chroma_height);
    if (format == SEGMAN_FORMAT_I420) {
        add_plane(&l, chroma_width, chroma_height);
        add_plane(&l, chroma_width, chroma_height);
    }
    return l;
}

struct segman_planes frame_layout_planes(const struct frame_layout *l, uint8_t *base)
{
    struct segman_planes p = {0};
    for (uint32_t i = 0; i < l->planes; i++) {
        p.plane[i] = base + l->plane[i].offset;
        p.stride[i] = l->plane[i].stride;
        p.rows[i] = l->plane[i].rows;
        p.bytes[i] = l->plane[i].bytes;
    }
    return p;
}

/* Crops needed along one side. */
static uint32_t steps(uint32_t side, uint32_t crop, uint32_t stride)
{
    return side > crop ? (side - crop + stride - 1) / stride + 1 : 1;
}

static uint32_t origin(uint32_t i, uint32_t side, uint32_t crop, uint32_t stride)
{
    uint32_t at = i * stride;
    return at + crop > side ? side - crop : at;
}

uint32_t frame_crops(uint32_t width, uint32_t height, uint32_t crop_width, uint32_t crop_height, uint32_t stride, struct frame_crop *crops,
                     uint32_t max)
{
    uint32_t nx = steps(width, crop_width, stride), ny = steps(height, crop_height, stride);
    for (uint32_t y = 0, i = 0; y < ny && i < max; y++)
        for (uint32_t x = 0; x < nx && i < max; x++, i++)
            crops[i] = (struct frame_crop){origin(x, width, crop_width, stride), origin(y, height, crop_height, stride)};
    return nx * ny;
}
