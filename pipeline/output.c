/* SPDX-License-Identifier: Apache-2.0 */
/* A file comes to its final name whole or not at all: it is written as NAME.PID.part beside it. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

bool pipe_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return a && b && !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool pipe_output_open(struct pipe_output *output, const char *path, bool overwrite, struct segman_error *error)
{
    struct stat st;
    int fd;

    *output = (struct pipe_output){.overwrite = overwrite};
    if (!stat(path, &st)) {
        if (S_ISDIR(st.st_mode))
            return segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: it is a folder", path);
        if (!S_ISREG(st.st_mode))
            return segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: it is not a regular file", path);
        if (!overwrite)
            return segman_fail(error, SEGMAN_ERROR_IO, "%s exists already (-y overwrites it)", path);
    }
    output->path = g_strdup(path);
    output->temporary = g_strdup_printf("%s.%d.part", path, (int)getpid());
    fd = open(output->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        int saved = errno;
        g_clear_pointer(&output->temporary, g_free); /* not ours to remove */
        pipe_output_finish(output);
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: %s", path, g_strerror(saved));
    }
    close(fd);
    return true;
}

/** Waits for the data to reach the disk: a full one may say so only now. */
static bool sync_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && (!fdatasync(fd) || errno == EINVAL);
    int saved = errno;
    if (fd >= 0 && close(fd))
        return false;
    errno = saved;
    return ok;
}

static bool move(const struct pipe_output *output)
{
    if (output->overwrite)
        return !rename(output->temporary, output->path);
    if (!renameat2(AT_FDCWD, output->temporary, AT_FDCWD, output->path, RENAME_NOREPLACE))
        return true;
    /* Some file systems cannot do that in one step. */
    if ((errno != EINVAL && errno != ENOSYS) || g_file_test(output->path, G_FILE_TEST_EXISTS))
        return false;
    return !rename(output->temporary, output->path);
}

bool pipe_output_commit(struct pipe_output *output, struct segman_error *error)
{
    if (!sync_file(output->temporary) || !move(output)) {
        const char *reason = errno == ENOSPC ? "the disk is full" : g_strerror(errno);
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: %s", output->path, reason);
    }
    g_clear_pointer(&output->temporary, g_free);
    return true;
}

void pipe_output_finish(struct pipe_output *output)
{
    if (output->temporary)
        g_unlink(output->temporary);
    g_clear_pointer(&output->temporary, g_free);
    g_clear_pointer(&output->path, g_free);
}
