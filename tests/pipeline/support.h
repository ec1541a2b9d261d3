/* SPDX-License-Identifier: Apache-2.0 */
/** support.h: folders, frames, and what is in files, for the tests of pipeline/. */
#ifndef TEST_PIPELINE_SUPPORT_H
#define TEST_PIPELINE_SUPPORT_H

#include "pipeline/internal.h"

#include <CUnit/CUnit.h>

enum { SKIPPED = 77 };

/** Runs the tests, NULL-terminated, in a fresh folder; returns main()'s exit status. */
struct named_test {
    const char *name;
    void (*run)(void);
};
int run_tests(const char *suite, const struct named_test *tests);

/** A path in the test's folder; valid until the test ends. */
const char *in_folder(const char *format, ...) G_GNUC_PRINTF(1, 2);
/** A clip, or NULL where the clips are not there. */
const char *clip(const char *name);
/** Files in the test's folder. */
unsigned files_in_folder(void);

/** A planar picture with a pattern of its own for every number. */
struct picture {
    struct segman_frame_format format;
    uint8_t *plane[3];
    uint32_t stride[3], rows[3];
};
struct picture picture_make(struct segman_frame_format format, unsigned number);
struct picture picture_gray(uint32_t width, uint32_t height, unsigned number);
void picture_free(struct picture *picture);
/** Most difference of a byte of two pictures' pixels (frame: the other one). */
int picture_difference(const struct picture *picture, const struct pipe_frame *frame);
/** Mean difference of the first plane's bytes. */
double picture_mean_difference(const struct picture *picture, const struct pipe_frame *frame);
/** Four colours, one a quadrant, in RGBA: red green / blue white. */
struct picture picture_quadrants(uint32_t width, uint32_t height);

/** Writes pictures at these times; checks that all goes well. */
void write_pictures(const struct pipe_sink_params *params, const int64_t *pts_ns, unsigned count);
/** Opens, or fails the test. */
struct pipe_source *open_source(const char *path);
/** Expects that the source cannot be opened, and its message to have both texts in it. */
void expect_open_error(const char *input, const char *text, const char *more);
void expect_sink_error(const struct pipe_sink_params *params, const char *text);

/** Runs a GStreamer pipeline to its end. */
bool run_pipeline(const char *format, ...) G_GNUC_PRINTF(1, 2);

/** What is in the streams of one kind ("audio/", "text/") of a file, as the demuxer says. */
struct packets {
    unsigned count;
    char checksum[65]; /* of all bytes, in order */
    int64_t first_ns;  /* running time */
    int64_t last_ns;
};
struct packets read_packets(const char *path, const char *kind);

/** What the log has received since the test began. */
const char *logged(void);

#endif
