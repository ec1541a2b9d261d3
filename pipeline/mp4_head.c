/* SPDX-License-Identifier: Apache-2.0 */
/* What GStreamer's MP4 demuxer reads wrongly, or does not tell, of a file's header. */
#include "bytes.h"
#include "decoder.h"

#include <stdio.h>
#include <string.h>

/*
 * qtdemux ends the whole file when a track's decoding time passes the duration in the file's header, without
 * taking off what an edit list skips at the track's start: the last packet of nearly every AAC track would be
 * lost. So the header that it reads says 0.2 s more (or an eighth: a track of less than a fifth of all is
 * taken for a preview and dropped); each track still ends by its own edit list.
 */
/** head: 32 bytes of a movie header's content, at the given place in the file. */
static void stretch_duration(struct pipe_decoder *d, const uint8_t *head, uint64_t at)
{
    bool wide = head[0] == 1;
    uint64_t scale = get32(head + (wide ? 20 : 12));
    uint64_t duration = wide ? get64(head + 24) : get32(head + 16);

    if (!scale || !duration || duration >= (wide ? UINT64_MAX >> 1 : UINT32_MAX - scale))
        return;
    d->patch_offset = at + (wide ? 24 : 16);
    d->patch_bytes = wide ? 8 : 4;
    d->patch_value = duration + MIN(scale / 5, duration / 8);
    d->duration_ns = (int64_t)gst_util_uint64_scale(duration, GST_SECOND, scale);
}

/** Finds a box in [*at, end) of the file and leaves *at at its content, *end at its end. */
static bool find_box(FILE *file, const char *type, uint64_t *at, uint64_t *end)
{
    uint8_t head[16];
    while (*at + 8 <= *end && !fseeko(file, (off_t)*at, SEEK_SET) && fread(head, 1, 8, file) == 8) {
        uint64_t size = get32(head), header = 8;
        if (size == 1 && fread(head + 8, 1, 8, file) == 8) {
            size = get64(head + 8);
            header = 16;
        } else if (size == 0) {
            size = *end - *at;
        }
        if (size < header || size > *end - *at)
            return false;
        if (!memcmp(head + 4, type, 4)) {
            *end = *at + size;
            *at += header;
            return true;
        }
        *at += size;
    }
    return false;
}

/** Whether an MP4's last box should go on behind the end of the file. */
static bool is_cut(FILE *file)
{
    uint64_t at = 0, end, size;
    uint8_t head[16];

    if (fseeko(file, 0, SEEK_END))
        return false;
    end = (uint64_t)ftello(file);
    while (at + 8 <= end) {
        if (fseeko(file, (off_t)at, SEEK_SET) || fread(head, 1, 16, file) < 8 || (!at && memcmp(head + 4, "ftyp", 4)))
            return false;
        size = get32(head) == 1 ? get64(head + 8) : get32(head);
        if (size < 8)
            return false;
        if (size > end - at)
            return true;
        at += size;
    }
    return false;
}

/** Whether the colour box of the movie header, in [at, end), says full range. */
static bool is_full_range(FILE *file, uint64_t at, uint64_t end)
{
    size_t size = (size_t)MIN(end - at, 4u << 20); /* the first track's description is near the start */
    uint8_t *data = g_malloc(size);
    const uint8_t *found = NULL;
    bool full;
    if (!fseeko(file, (off_t)at, SEEK_SET) && fread(data, 1, size, file) == size)
        found = memmem(data, size, "colrnclx", 8);
    full = found && (size_t)(found - data) + 15 <= size && (found[14] & 0x80);
    g_free(data);
    return full;
}

/** An EBML number at p, with its length in bytes; 0 where it is unknown or damaged. */
static uint64_t ebml_number(const uint8_t *p, size_t *length)
{
    uint64_t value = p[0];
    size_t n = 1;
    while (n <= 8 && !(p[0] & (0x100 >> n)))
        n++;
    if (n > 8)
        return 0;
    value &= (0xffu >> n);
    for (size_t i = 1; i < n; i++)
        value = value << 8 | p[i];
    *length = n;
    return value == (1ull << (7 * n)) - 1 ? 0 : value;
}

/** The same of a Matroska file: its segment says how long it is, unless it was written as a stream. */
static bool is_matroska_cut(FILE *file)
{
    uint8_t head[64] = {0x00};
    size_t length = 1, at;
    uint64_t size, end;

    if (fseeko(file, 0, SEEK_END))
        return false;
    end = (uint64_t)ftello(file);
    if (fseeko(file, 0, SEEK_SET) || fread(head, 1, sizeof head, file) != sizeof head || memcmp(head, "\x1a\x45\xdf\xa3", 4))
        return false;
    size = ebml_number(head + 4, &length);
    at = 4 + length + (size_t)MIN(size, sizeof head);
    if (!size || at + 12 > sizeof head || memcmp(head + at, "\x18\x53\x80\x67", 4))
        return false;
    size = ebml_number(head + at + 4, &length);
    return size && at + 4 + length + size > end;
}

void pipe_mp4_head_file(struct pipe_decoder *d)
{
    FILE *file = d->path ? fopen(d->path, "rbe") : NULL;
    uint8_t head[32];
    uint64_t at = 0, end;

    if (!file)
        return;
    if (!fseeko(file, 0, SEEK_END) && (end = (uint64_t)ftello(file)) > 16 && find_box(file, "moov", &at, &end)) {
        d->full_range = is_full_range(file, at, end);
        if (find_box(file, "mvhd", &at, &end) && end - at >= 32 && !fseeko(file, (off_t)at, SEEK_SET) && fread(head, 1, 32, file) == 32)
            stretch_duration(d, head, at);
    }
    d->cut = is_cut(file) || is_matroska_cut(file);
    fclose(file);
}

void pipe_mp4_head_stream(struct pipe_decoder *d, GstBuffer *buffer, uint64_t start)
{
    GstMapInfo map;
    const uint8_t *found;

    if (d->patch_offset || !gst_buffer_map(buffer, &map, GST_MAP_READ))
        return;
    for (found = map.data; (found = memmem(found, map.size - (size_t)(found - map.data), "moov", 4)); found += 4) {
        size_t at = (size_t)(found - map.data);
        if (at + 44 <= map.size && !memcmp(found + 8, "mvhd", 4)) {
            stretch_duration(d, found + 12, start + at + 12);
            break;
        }
    }
    gst_buffer_unmap(buffer, &map);
}
