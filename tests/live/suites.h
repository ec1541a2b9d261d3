/* SPDX-License-Identifier: Apache-2.0 */
/** suites.h: the suites of tests/live, and what they share. */
#ifndef TESTS_LIVE_SUITES_H
#define TESTS_LIVE_SUITES_H

#include "pipeline/pipeline.h"

#include <CUnit/CUnit.h>
#include <glib.h>

void add_list_suite(void);
void add_camera_suite(void);
void add_fault_suite(void);
void add_stream_suite(void);
void add_rtsp_suite(void);

/** Reads until a frame comes, or limit_s is over: the last status. Counts the losses told on the way, where wanted. */
enum pipe_status read_within(struct pipe_source *source, double limit_s, struct pipe_frame *frame, struct segman_error *error,
                             unsigned *losses);
/** Reads and releases so many frames, whose times must grow; the number that came before limit_s was over. */
unsigned read_frames(struct pipe_source *source, unsigned count, double limit_s);
double seconds_since(int64_t start_us);

#endif
