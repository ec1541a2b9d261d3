/* SPDX-License-Identifier: Apache-2.0 */
#include "npy.h"

#include "pipeline/pipeline.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#define ALIGN  64
#define PREFIX 10 /* magic, version, header length */

/* A header of version 1.0: padded with spaces so that the values are aligned. */
static GString *make_header(const uint32_t *shape, size_t rank)
{
    static const char magic[] = "\x93NUMPY\x01\x00";
    GString *header = g_string_new_len(magic, 8);

    g_string_append_len(header, "\0\0", 2);
    g_string_append_printf(header, "{'descr': '%cf4', 'fortran_order': False, 'shape': (", G_BYTE_ORDER == G_LITTLE_ENDIAN ? '<' : '>');
    for (size_t i = 0; i < rank; i++)
        g_string_append_printf(header, i + 1 < rank || rank == 1 ? "%u, " : "%u", shape[i]);
    g_string_append(header, "), }");
    while ((header->len + 1) % ALIGN)
        g_string_append_c(header, ' ');
    g_string_append_c(header, '\n');
    header->str[8] = (char)((header->len - PREFIX) & 0xff);
    header->str[9] = (char)((header->len - PREFIX) >> 8);
    return header;
}

static bool write_all(const char *path, const float *values, const uint32_t *shape, size_t rank)
{
    GString *header = make_header(shape, rank);
    FILE *file = g_fopen(path, "wb");
    size_t count = 1;
    bool written = false;

    for (size_t i = 0; i < rank; i++)
        count *= shape[i];
    if (file) {
        written = fwrite(header->str, 1, header->len, file) == header->len && fwrite(values, sizeof *values, count, file) == count;
        written = fclose(file) == 0 && written;
    }
    g_string_free(header, TRUE);
    return written;
}

bool app_npy_write(const char *path, bool overwrite, const float *values, const uint32_t *shape, size_t rank, struct segman_error *error)
{
    struct pipe_output output;
    bool good = pipe_output_open(&output, path, overwrite, error);

    if (good && !write_all(output.temporary, values, shape, rank))
        good = segman_fail(error, SEGMAN_ERROR_IO, "%s could not be written: %s", path, g_strerror(errno));
    good = good && pipe_output_commit(&output, error);
    pipe_output_finish(&output);
    return good;
}
