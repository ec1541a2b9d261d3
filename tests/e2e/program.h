/* SPDX-License-Identifier: Apache-2.0 */
/** program.h: runs the real program in a folder of its own. */
#ifndef E2E_PROGRAM_H
#define E2E_PROGRAM_H

#include <glib.h>

struct program {
    char *path, *folder, *assets, *clips; /**< the program, the test's working folder, the source's assets, the clips or NULL */
};
extern struct program program;

/** What a run left: its exit code (-1: it did not exit by itself) and its words. */
struct outcome {
    int code;
    char *out, *err;
};

/** Arguments end with NULL. To a job, --no-progress is added, and a small network size unless one is given. */
struct outcome program_run(const char *argument, ...) G_GNUC_NULL_TERMINATED;
/** The same with files limited to this many bytes: what a full disk looks like. */
struct outcome program_run_limited(guint64 bytes, const char *argument, ...) G_GNUC_NULL_TERMINATED;
/** The same, interrupted by SIGINT once `marker` appears on its standard output. */
struct outcome program_interrupt(const char *marker, const char *argument, ...) G_GNUC_NULL_TERMINATED;
void outcome_clear(struct outcome *outcome);

/** A path in the working folder; freed with everything else at the end. */
const char *in_folder(const char *name);
const char *in_clips(const char *name);
/** Names in the working folder that begin with this. */
guint count_files(const char *prefix);

#endif
