/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, const char *label, uint64_t *size, struct segman_error *error)
{
    struct stat st;
    /* O_NONBLOCK: opening a named pipe must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        segman_fail(error, SEGMAN_ERROR_IO, "%s: cannot be opened: %s", label, strerror(errno));
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        segman_fail(error, SEGMAN_ERROR_IO, "%s: is a %s, not a file", label, S_ISDIR(st.st_mode) ? "folder" : "device or pipe");
        goto fail;
    }
    *size = (uint64_t)st.st_size;
    return fd;
fail:
    if (fd >= 0)
        close(fd);
    return -1;
}
