/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ref.h"

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static const double weights[3][2] = {{0.299, 0.114}, {0.2126, 0.0722}, {0.2627, 0.0593}};

/* Sample k (0 Cb, 1 Cr) of the chroma planes, edges repeated. */
static double chroma(const struct segman_frame_format *f, const struct segman_planes *p, int k, int i, int j)
{
    int w = (int)(f->width + 1) / 2, h = (int)(f->height + 1) / 2;
    i = (int)clamp(i, 0, w - 1);
    j = (int)clamp(j, 0, h - 1);
    if (f->format == SEGMAN_FORMAT_NV12)
        return p->plane[1][(size_t)j * p->stride[1] + 2 * (size_t)i + (size_t)k];
    return p->plane[1 + k][(size_t)j * p->stride[1 + k] + (size_t)i];
}

/* Chroma at the centre of luma pixel x, y, in -128..127. */
static double chroma_at(const struct segman_frame_format *f, const struct segman_planes *p, int k, uint32_t x, uint32_t y)
{
    double cx = f->site == SEGMAN_CHROMA_CENTER ? (x - 0.5) / 2 : x / 2.0;
    double cy = f->site == SEGMAN_CHROMA_TOP_LEFT ? y / 2.0 : (y - 0.5) / 2;
    int i = (int)floor(cx), j = (int)floor(cy);
    double fx = cx - i, fy = cy - j;
    double top = chroma(f, p, k, i, j) * (1 - fx) + chroma(f, p, k, i + 1, j) * fx;
    double bottom = chroma(f, p, k, i, j + 1) * (1 - fx) + chroma(f, p, k, i + 1, j + 1) * fx;
    return top * (1 - fy) + bottom * fy - 128;
}

void ref_rgb(const struct segman_frame_format *f, const struct segman_planes *p, uint32_t x, uint32_t y, double rgb[3])
{
    const uint8_t *row = p->plane[0] + (size_t)y * p->stride[0];
    if (f->format == SEGMAN_FORMAT_RGBA || f->format == SEGMAN_FORMAT_BGRX) {
        for (int k = 0; k < 3; k++)
            rgb[k] = row[4 * x + (uint32_t)(f->format == SEGMAN_FORMAT_RGBA ? k : 2 - k)];
        return;
    }
    double kr = weights[f->matrix][0], kb = weights[f->matrix][1], kg = 1 - kr - kb;
    bool limited = f->range == SEGMAN_RANGE_LIMITED;
    double luma = (row[x] - (limited ? 16 : 0)) * (limited ? 255.0 / 219 : 1), scale = limited ? 255.0 / 224 : 1;
    double cb = chroma_at(f, p, 0, x, y) * scale, cr = chroma_at(f, p, 1, x, y) * scale;
    double r = luma + 2 * (1 - kr) * cr, b = luma + 2 * (1 - kb) * cb;
    rgb[0] = clamp(r, 0, 255);
    rgb[1] = clamp((luma - kr * r - kb * b) / kg, 0, 255);
    rgb[2] = clamp(b, 0, 255);
}

void ref_ycbcr(enum segman_matrix matrix, enum segman_range range, const uint8_t rgb[3], double out[3])
{
    double kr = weights[matrix][0], kb = weights[matrix][1];
    bool limited = range == SEGMAN_RANGE_LIMITED;
    double y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2], c = limited ? 224.0 / 255 : 1;
    out[0] = clamp(limited ? 16 + y * 219 / 255 : y, 0, 255);
    out[1] = clamp(128 + (rgb[2] - y) / (2 * (1 - kb)) * c, 0, 255);
    out[2] = clamp(128 + (rgb[0] - y) / (2 * (1 - kr)) * c, 0, 255);
}

/* Left tap, right tap and fraction of a bilinear sample with half-pixel centres. */
static void taps(double at, uint32_t n, uint32_t *i0, uint32_t *i1, double *f)
{
    double u = clamp(at - 0.5, 0, n - 1);
    *i0 = (uint32_t)u;
    *i1 = *i0 + 1 < n ? *i0 + 1 : n - 1;
    *f = u - *i0;
}

static void resize_area(const uint8_t *rgb, uint32_t w, uint32_t h, uint32_t net_w, uint32_t net_h, uint32_t x, uint32_t y, double out[3])
{
    double x0 = (double)x * w / net_w, x1 = (x + 1.0) * w / net_w, y0 = (double)y * h / net_h, y1 = (y + 1.0) * h / net_h;
    memset(out, 0, 3 * sizeof(*out));
    for (uint32_t j = (uint32_t)y0; j < h && j < y1; j++)
        for (uint32_t i = (uint32_t)x0; i < w && i < x1; i++) {
            double cover = (fmin(x1, i + 1.0) - fmax(x0, i)) * (fmin(y1, j + 1.0) - fmax(y0, j));
            for (int k = 0; k < 3; k++)
                out[k] += cover / ((x1 - x0) * (y1 - y0)) * rgb[3 * ((size_t)j * w + i) + (size_t)k];
        }
}

void ref_resize(const uint8_t *rgb, uint32_t w, uint32_t h, uint32_t net_w, uint32_t net_h, bool area, uint32_t x, uint32_t y,
                double out[3])
{
    uint32_t x0, x1, y0, y1;
    double fx, fy;
    if (area) {
        resize_area(rgb, w, h, net_w, net_h, x, y, out);
        return;
    }
    taps((x + 0.5) * w / net_w, w, &x0, &x1, &fx);
    taps((y + 0.5) * h / net_h, h, &y0, &y1, &fy);
    for (size_t k = 0; k < 3; k++) {
        double top = rgb[3 * ((size_t)y0 * w + x0) + k] * (1 - fx) + rgb[3 * ((size_t)y0 * w + x1) + k] * fx;
        double bottom = rgb[3 * ((size_t)y1 * w + x0) + k] * (1 - fx) + rgb[3 * ((size_t)y1 * w + x1) + k] * fx;
        out[k] = top * (1 - fy) + bottom * fy;
    }
}

static bool add_crop(const struct ref_logits *l, const struct ref_crop *crop, double at_x, double at_y, double *out)
{
    uint32_t x0, x1, y0, y1;
    double fx, fy;
    if (at_x < crop->x || at_x >= crop->x + l->crop_w || at_y < crop->y || at_y >= crop->y + l->crop_h)
        return false;
    taps((at_x - crop->x) * l->w / l->crop_w, l->w, &x0, &x1, &fx);
    taps((at_y - crop->y) * l->h / l->crop_h, l->h, &y0, &y1, &fy);
    for (uint32_t c = 0; c < l->classes; c++) {
        const float *v = crop->logits + (size_t)c * l->w * l->h;
        double top = v[y0 * l->w + x0] * (1 - fx) + v[y0 * l->w + x1] * fx;
        double bottom = v[y1 * l->w + x0] * (1 - fx) + v[y1 * l->w + x1] * fx;
        out[c] += top * (1 - fy) + bottom * fy;
    }
    return true;
}

uint32_t ref_logits_at(const struct ref_logits *l, uint32_t frame_w, uint32_t frame_h, uint32_t x, uint32_t y, double *out)
{
    uint32_t n = 0;
    memset(out, 0, l->classes * sizeof(*out));
    for (uint32_t i = 0; i < l->n_crops; i++)
        n += add_crop(l, &l->crop[i], (x + 0.5) * l->net_w / frame_w, (y + 0.5) * l->net_h / frame_h, out);
    for (uint32_t c = 0; c < l->classes; c++)
        out[c] /= n;
    return n;
}

/* ---- views ------------------------------------------------------------------------------------- */

/* Rounds half up; sums are whole multiples of 1/65536 or 1/255 up to double's error. */
static double rounded(double v)
{
    return floor(v + 0.5 + 1e-9);
}

static const uint8_t *picture_at(const struct segman_overlay *o, uint32_t x, uint32_t y)
{
    int64_t px = (int64_t)x - o->x, py = (int64_t)y - o->y;
    bool inside = o->rgba && px >= 0 && py >= 0 && px < o->width && py < o->height;
    return inside ? o->rgba + py * o->stride + 4 * px : NULL;
}

/* Component k of one pixel of the view before the overlay picture. */
static double masked_at(const struct ref_view *v, uint32_t k, uint32_t x, uint32_t y)
{
    static const uint8_t black[3] = {0, 0, 0};
    bool right = v->view == SEGMAN_VIEW_SIDE_BY_SIDE && x >= v->width;
    uint32_t sx = right ? x - v->width : x;
    double s = v->view == SEGMAN_VIEW_MASK ? v->colour(v->user, k, black) : v->source(v->user, k, sx, y);
    if (v->view == SEGMAN_VIEW_SOURCE || (v->view == SEGMAN_VIEW_SIDE_BY_SIDE && !right))
        return s;
    const uint8_t *colour = v->style->palette[v->labels[(size_t)y * v->labels_stride + sx]];
    double opacity = v->view == SEGMAN_VIEW_MASK ? 1 : v->style->opacity;
    double w = rounded(opacity * colour[3] * 65536 / 255) / 65536;
    return s * (1 - w) + v->colour(v->user, k, colour) * w;
}

uint8_t ref_view_at(const struct ref_view *v, uint32_t k, uint32_t n, uint32_t x0, uint32_t y0)
{
    uint32_t view_width = v->view == SEGMAN_VIEW_SIDE_BY_SIDE ? 2 * v->width : v->width;
    double sum = 0, count = 0, alpha = 0, picture = 0;
    for (uint32_t y = y0; y < y0 + n && y < v->height; y++)
        for (uint32_t x = x0; x < x0 + n && x < view_width; x++) {
            const uint8_t *o = picture_at(v->overlay, x, y);
            sum += masked_at(v, k, x, y);
            count++;
            if (o) {
                alpha += o[3] / 255.0;
                picture += v->colour(v->user, k, o) * o[3] / 255.0;
            }
        }
    return (uint8_t)rounded((rounded(sum / count) * (count - alpha) + picture) / count);
}
