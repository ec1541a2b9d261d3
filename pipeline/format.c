/* SPDX-License-Identifier: Apache-2.0 */
/* GStreamer's video caps and segman's frame formats. */
#include "internal.h"

#include <math.h>
#include <string.h>

static enum segman_matrix matrix_of(const GstVideoInfo *info)
{
    switch (info->colorimetry.matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT601:
    case GST_VIDEO_COLOR_MATRIX_FCC:
        return SEGMAN_MATRIX_BT601;
    case GST_VIDEO_COLOR_MATRIX_BT2020:
        return SEGMAN_MATRIX_BT2020;
    case GST_VIDEO_COLOR_MATRIX_BT709:
    case GST_VIDEO_COLOR_MATRIX_SMPTE240M: /* within a hair of BT.709's */
        return SEGMAN_MATRIX_BT709;
    default: /* untagged: what every player takes it for */
        return info->height > 576 ? SEGMAN_MATRIX_BT709 : SEGMAN_MATRIX_BT601;
    }
}

static enum segman_chroma_site site_of(const GstVideoInfo *info)
{
    if (info->chroma_site == GST_VIDEO_CHROMA_SITE_JPEG)
        return SEGMAN_CHROMA_CENTER;
    if (info->chroma_site & GST_VIDEO_CHROMA_SITE_V_COSITED && info->chroma_site & GST_VIDEO_CHROMA_SITE_H_COSITED)
        return SEGMAN_CHROMA_TOP_LEFT;
    return SEGMAN_CHROMA_LEFT;
}

bool pipe_format_from_video_info(struct segman_frame_format *format, const GstVideoInfo *info)
{
    *format = (struct segman_frame_format){.width = (uint32_t)info->width, .height = (uint32_t)info->height};
    switch (GST_VIDEO_INFO_FORMAT(info)) {
    case GST_VIDEO_FORMAT_RGBA:
        format->format = SEGMAN_FORMAT_RGBA;
        return true;
    case GST_VIDEO_FORMAT_BGRx:
        format->format = SEGMAN_FORMAT_BGRX;
        return true;
    case GST_VIDEO_FORMAT_NV12:
        format->format = SEGMAN_FORMAT_NV12;
        break;
    case GST_VIDEO_FORMAT_I420:
        format->format = SEGMAN_FORMAT_I420;
        break;
    default:
        return false;
    }
    format->matrix = matrix_of(info);
    format->range = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255 ? SEGMAN_RANGE_FULL : SEGMAN_RANGE_LIMITED;
    format->site = site_of(info);
    return true;
}

GstVideoFormat pipe_gst_format(enum segman_pixel_format format)
{
    static const GstVideoFormat map[] = {
        [SEGMAN_FORMAT_RGBA] = GST_VIDEO_FORMAT_RGBA,
        [SEGMAN_FORMAT_BGRX] = GST_VIDEO_FORMAT_BGRx,
        [SEGMAN_FORMAT_NV12] = GST_VIDEO_FORMAT_NV12,
        [SEGMAN_FORMAT_I420] = GST_VIDEO_FORMAT_I420,
    };
    return (unsigned)format < G_N_ELEMENTS(map) ? map[format] : GST_VIDEO_FORMAT_UNKNOWN;
}

static GstVideoColorMatrix gst_matrix(enum segman_matrix matrix)
{
    return matrix == SEGMAN_MATRIX_BT601   ? GST_VIDEO_COLOR_MATRIX_BT601
           : matrix == SEGMAN_MATRIX_BT709 ? GST_VIDEO_COLOR_MATRIX_BT709
                                           : GST_VIDEO_COLOR_MATRIX_BT2020;
}

void pipe_colorimetry(GstVideoColorimetry *out, const struct segman_frame_format *format, const char *wanted)
{
    GstVideoColorimetry source;
    static const char *const usual[] = {
        [SEGMAN_MATRIX_BT601] = GST_VIDEO_COLORIMETRY_BT601,
        [SEGMAN_MATRIX_BT709] = GST_VIDEO_COLORIMETRY_BT709,
        [SEGMAN_MATRIX_BT2020] = GST_VIDEO_COLORIMETRY_BT2020,
    };
    bool known = wanted && *wanted && gst_video_colorimetry_from_string(&source, wanted);
    bool rgb = format->format == SEGMAN_FORMAT_RGBA || format->format == SEGMAN_FORMAT_BGRX;

    gst_video_colorimetry_from_string(out, usual[format->matrix]);
    if (known && (rgb || source.matrix == gst_matrix(format->matrix))) {
        out->primaries = source.primaries;
        out->transfer = source.transfer;
    }
    out->matrix = rgb ? GST_VIDEO_COLOR_MATRIX_RGB : gst_matrix(format->matrix);
    out->range = rgb || format->range == SEGMAN_RANGE_FULL ? GST_VIDEO_COLOR_RANGE_0_255 : GST_VIDEO_COLOR_RANGE_16_235;
    if (rgb && !known)
        gst_video_colorimetry_from_string(out, GST_VIDEO_COLORIMETRY_SRGB);
}

GstVideoChromaSite pipe_chroma_site(enum segman_chroma_site site)
{
    return site == SEGMAN_CHROMA_CENTER     ? GST_VIDEO_CHROMA_SITE_JPEG
           : site == SEGMAN_CHROMA_TOP_LEFT ? GST_VIDEO_CHROMA_SITE_COSITED
                                            : GST_VIDEO_CHROMA_SITE_MPEG2;
}

/** Luminance in cd/m2 of a PQ signal of 0..1 (SMPTE ST 2084). */
static double pq_nits(double signal)
{
    const double m1 = 2610.0 / 16384, m2 = 2523.0 / 4096 * 128, c1 = 3424.0 / 4096, c2 = 2413.0 / 4096 * 32, c3 = 2392.0 / 4096 * 32;
    double p = pow(signal, 1 / m2);
    return 10000 * pow(fmax(p - c1, 0) / (c2 - c3 * p), 1 / m1);
}

/*
 * Luma only, chroma kept: networks and eyes see what is where, with colours a little off in the highlights.
 * Reference white (203 cd/m2, ITU-R BT.2408) goes to 80 % of the light, and highlights up to 1000 cd/m2 roll
 * off above it (Reinhard's curve with a white point), then gamma 2.4.
 */
void pipe_pq_table(uint8_t table[256])
{
    for (int i = 0; i < 256; i++) {
        double signal = fmin(fmax((i - 16) / 219.0, 0), 1);
        double light = pq_nits(signal) / 203, white = 1000.0 / 203;
        double mapped = fmin(light * (1 + light / (white * white)) / (1 + light), 1);
        double scaled = fmin(mapped * 1.54, 1); /* 203 cd/m2: 0.52 before, 0.8 after */
        table[i] = (uint8_t)lround(16 + 219 * pow(scaled, 1 / 2.4));
    }
}

void pipe_copy_planes(GstVideoFrame *to, const uint8_t *const plane[3], const uint32_t stride[3], const GstVideoInfo *info)
{
    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++) {
        size_t step = (size_t)GST_VIDEO_INFO_COMP_PSTRIDE(info, p), bytes = step * (size_t)GST_VIDEO_INFO_COMP_WIDTH(info, p);
        size_t width = step * (size_t)GST_VIDEO_FRAME_COMP_WIDTH(to, p), pitch = (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(to, p);
        int rows = GST_VIDEO_INFO_COMP_HEIGHT(info, p), height = GST_VIDEO_FRAME_COMP_HEIGHT(to, p);
        uint8_t *data = GST_VIDEO_FRAME_PLANE_DATA(to, p);

        for (int y = 0; y < rows; y++) {
            uint8_t *row = data + (size_t)y * pitch;
            memcpy(row, plane[p] + (size_t)y * stride[p], bytes);
            for (size_t x = bytes; x < width; x++)
                row[x] = row[x - step];
        }
        for (int y = rows; y < height; y++)
            memcpy(data + (size_t)y * pitch, data + (size_t)(rows - 1) * pitch, width);
    }
}
