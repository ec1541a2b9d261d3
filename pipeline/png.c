/* SPDX-License-Identifier: Apache-2.0 */
/* PNG files: labels with their palette, views as RGB, or RGBA where something is not opaque. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

static void on_png_error(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

static void on_png_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static bool is_opaque(const struct pipe_image *image)
{
    for (uint32_t y = 0; y < image->height; y++)
        for (uint32_t x = 0; x < image->width; x++)
            if (image->pixels[(size_t)y * image->stride + 4 * (size_t)x + 3] != 255)
                return false;
    return true;
}

static void set_palette(png_structp png, png_infop info, const uint8_t (*palette)[4])
{
    png_color colors[256];
    png_byte alpha[256];
    int translucent = 0;
    for (int i = 0; i < 256; i++) {
        colors[i] = (png_color){palette[i][0], palette[i][1], palette[i][2]};
        alpha[i] = palette[i][3];
        if (alpha[i] != 255)
            translucent = i + 1;
    }
    png_set_PLTE(png, info, colors, 256);
    if (translucent)
        png_set_tRNS(png, info, alpha, translucent, NULL);
}

/** libpng leaves by longjmp: nothing that must be freed is made in here. */
static bool write_png(png_structp png, png_infop info, FILE *file, const struct pipe_image *image, int type)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_init_io(png, file);
    png_set_compression_level(png, 4); /* twice as fast as the default, a few percent larger */
    png_set_IHDR(png, info, image->width, image->height, 8, type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE)
        set_palette(png, info, image->palette);
    else if (type & PNG_COLOR_MASK_COLOR)
        png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    png_write_info(png, info);
    if (type == PNG_COLOR_TYPE_RGB)
        png_set_filler(png, 0, PNG_FILLER_AFTER);
    for (uint32_t y = 0; y < image->height; y++)
        png_write_row(png, image->pixels + (size_t)y * image->stride);
    png_write_end(png, info);
    return true;
}

static int color_type(const struct pipe_image *image)
{
    if (image->channels == 4)
        return is_opaque(image) ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGBA;
    return image->palette ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_GRAY;
}

bool pipe_png_write(const char *path, const char *name, const struct pipe_image *image, struct segman_error *error)
{
    FILE *file = fopen(path, "wbe");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_png_error, on_png_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool ok;
    int saved;

    errno = 0;
    ok = file && info && write_png(png, info, file, image, color_type(image));
    saved = errno;
    if (png)
        png_destroy_write_struct(&png, &info);
    if (file && fclose(file)) {
        saved = ok ? errno : saved;
        ok = false;
    }
    if (!ok)
        segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: %s", name,
                    saved == ENOSPC ? "the disk is full"
                    : saved         ? g_strerror(saved)
                                    : "it is not a picture that PNG can hold");
    return ok;
}
