/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edit lists that mp4mux cannot write. AAC begins with a packet that only primes the decoder, with a time
 * before zero; mp4mux would drop it, so it is muxed at zero and the list then says where the sound starts.
 * And mp4mux moves a file whose first timestamp is not zero to zero: the list moves it back. And it takes a
 * track's length from decoding times, which with reordered frames of varying rate may end before the last one.
 *
 * The moov box is copied with the lists rewritten. It is the last box of the file, so it may grow.
 */
#include "bytes.h"
#include "internal.h"

#include <stdio.h>
#include <string.h>

enum { MOOV_LIMIT = 1 << 30 };

struct edit {
    const struct pipe_mp4_edit *what;
    GByteArray *out;
    uint64_t movie_scale, track_scale; /* units a second */
    uint32_t track;                    /* being copied */
    bool in_track;
    bool failed;
};

struct entry {
    uint64_t duration;
    int64_t media_time;
    uint32_t rate;
};

static uint64_t units(int64_t ns, uint64_t scale)
{
    return gst_util_uint64_scale_round((guint64)ns, scale, GST_SECOND);
}

/** What is wanted of the track being copied. */
static struct pipe_mp4_track wanted(const struct edit *e)
{
    return e->track < e->what->tracks ? e->what->track[e->track] : (struct pipe_mp4_track){0};
}

/** Length of the track's presentation, from what mp4mux wrote, in the movie's units. */
static uint64_t length_of(const struct edit *e, uint64_t written)
{
    uint64_t skip = units(wanted(e).skip_ns, e->movie_scale);
    return MAX(written - MIN(skip, written), units(wanted(e).length_ns, e->movie_scale));
}

static void put32(GByteArray *out, uint32_t value)
{
    uint8_t bytes[4];
    set32(bytes, value);
    g_byte_array_append(out, bytes, 4);
}

static void put_entry(GByteArray *out, bool wide, const struct entry *entry)
{
    if (wide)
        put32(out, (uint32_t)(entry->duration >> 32));
    put32(out, (uint32_t)entry->duration);
    if (wide)
        put32(out, (uint32_t)((uint64_t)entry->media_time >> 32));
    put32(out, (uint32_t)entry->media_time);
    put32(out, entry->rate);
}

static struct entry get_entry(const uint8_t *p, bool wide)
{
    if (wide)
        return (struct entry){get64(p), (int64_t)get64(p + 8), get32(p + 16)};
    return (struct entry){get32(p), (int32_t)get32(p + 4), get32(p + 8)};
}

/** Content of elst: version and flags, count, entries. */
static void copy_edit_list(struct edit *e, const uint8_t *p, size_t size)
{
    bool wide = p[0] == 1;
    size_t step = wide ? 20 : 12;
    uint32_t count = size >= 8 ? get32(p + 4) : 0;
    uint64_t start = units(e->what->start_ns, e->movie_scale);
    bool gap_first;

    if (!count || size < 8 + count * step) {
        e->failed = true;
        return;
    }
    gap_first = get_entry(p + 8, wide).media_time == -1;
    g_byte_array_append(e->out, p, 4);
    put32(e->out, count + (start && !gap_first));
    if (start && !gap_first)
        put_entry(e->out, wide, &(struct entry){start, -1, 1 << 16});
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry = get_entry(p + 8 + i * step, wide);
        if (entry.media_time == -1) {
            entry.duration += i ? 0 : start;
        } else {
            entry.media_time += (int64_t)units(wanted(e).skip_ns, e->track_scale);
            entry.duration = length_of(e, entry.duration);
        }
        put_entry(e->out, wide, &entry);
    }
}

/** mvhd and tkhd: their durations follow. */
static void copy_header(struct edit *e, const uint8_t *p, size_t size, size_t narrow_at, size_t wide_at)
{
    bool wide = p[0] == 1;
    size_t at = wide ? wide_at : narrow_at;
    uint64_t duration;
    guint start = e->out->len;

    g_byte_array_append(e->out, p, (guint)size);
    if (size < at + 8) {
        e->failed = true;
        return;
    }
    duration = wide ? get64(p + at) : get32(p + at);
    if (e->in_track)
        duration = length_of(e, duration);
    duration += units(e->what->start_ns, e->movie_scale);
    if (wide)
        set64(e->out->data + start + at, duration);
    else
        set32(e->out->data + start + at, (uint32_t)duration);
}

/** Finds a box among those in p; returns its content. */
static const uint8_t *find(const uint8_t *p, size_t size, const char *type, size_t *length)
{
    while (size >= 8) {
        size_t box = get32(p);
        if (box < 8 || box > size)
            return NULL;
        if (!memcmp(p + 4, type, 4)) {
            *length = box - 8;
            return p + 8;
        }
        p += box;
        size -= box;
    }
    return NULL;
}

/** The track's units a second, from trak/mdia/mdhd. */
static uint64_t track_scale(const uint8_t *trak, size_t size)
{
    size_t length;
    const uint8_t *box = find(trak, size, "mdia", &length);
    if (box)
        box = find(box, length, "mdhd", &length);
    if (!box || length < 24)
        return 0;
    return get32(box + (box[0] == 1 ? 20 : 12));
}

static void copy_boxes(struct edit *e, const uint8_t *p, size_t size);

static void copy_box(struct edit *e, const uint8_t *p, size_t box)
{
    const uint8_t *content = p + 8;
    guint start = e->out->len;
    bool trak = !memcmp(p + 4, "trak", 4);

    if (trak) {
        e->in_track = true;
        e->track_scale = track_scale(content, box - 8);
        e->failed = e->failed || !e->track_scale;
    }
    g_byte_array_append(e->out, p, 8);
    if (trak || !memcmp(p + 4, "edts", 4))
        copy_boxes(e, content, box - 8);
    else if (!memcmp(p + 4, "elst", 4) && box > 16)
        copy_edit_list(e, content, box - 8);
    else if (!memcmp(p + 4, "mvhd", 4))
        copy_header(e, content, box - 8, 16, 24);
    else if (!memcmp(p + 4, "tkhd", 4))
        copy_header(e, content, box - 8, 20, 28);
    else
        g_byte_array_append(e->out, content, (guint)(box - 8));
    set32(e->out->data + start, e->out->len - start);
    if (trak) {
        e->in_track = false;
        e->track++;
    }
}

static void copy_boxes(struct edit *e, const uint8_t *p, size_t size)
{
    while (size >= 8 && !e->failed) {
        size_t box = get32(p);
        if (box < 8 || box > size) {
            e->failed = true;
            return;
        }
        copy_box(e, p, box);
        p += box;
        size -= box;
    }
    e->failed = e->failed || size != 0;
}

/** Finds the file's last box, which must be moov. */
static bool find_last_moov(FILE *file, uint64_t *at, uint64_t *size)
{
    uint64_t end, box;
    uint8_t head[16];

    if (fseeko(file, 0, SEEK_END))
        return false;
    end = (uint64_t)ftello(file);
    for (*at = 0; *at + 8 <= end; *at += box) {
        if (fseeko(file, (off_t)*at, SEEK_SET) || fread(head, 1, 16, file) < 8)
            return false;
        box = get32(head);
        if (box == 1)
            box = get64(head + 8);
        if (box < 8 || box > end - *at)
            return false;
        *size = box;
        if (*at + box == end)
            return !memcmp(head + 4, "moov", 4) && box < MOOV_LIMIT;
    }
    return false;
}

/** p: the whole moov box. */
static GByteArray *rewrite(const uint8_t *p, size_t size, const struct pipe_mp4_edit *what)
{
    struct edit e = {.what = what, .out = g_byte_array_new()};
    size_t length;
    const uint8_t *mvhd = find(p + 8, size - 8, "mvhd", &length);

    if (mvhd && length >= 32)
        e.movie_scale = get32(mvhd + (mvhd[0] == 1 ? 20 : 12));
    g_byte_array_append(e.out, p, 8);
    if (e.movie_scale)
        copy_boxes(&e, p + 8, size - 8);
    set32(e.out->data, e.out->len);
    if (e.movie_scale && !e.failed)
        return e.out;
    g_byte_array_unref(e.out);
    return NULL;
}

bool pipe_mp4_edit_file(const char *path, const struct pipe_mp4_edit *edit)
{
    FILE *file = fopen(path, "r+be");
    GByteArray *moov = NULL;
    uint8_t *old = NULL;
    uint64_t at, size;
    bool ok = false;

    if (!file)
        return false;
    if (find_last_moov(file, &at, &size)) {
        old = g_malloc(size);
        if (!fseeko(file, (off_t)at, SEEK_SET) && fread(old, 1, size, file) == size)
            moov = rewrite(old, size, edit);
    }
    if (moov)
        ok = !fseeko(file, (off_t)at, SEEK_SET) && fwrite(moov->data, 1, moov->len, file) == moov->len;
    if (moov)
        g_byte_array_unref(moov);
    g_free(old);
    return !fclose(file) && ok;
}
