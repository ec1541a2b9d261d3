/* SPDX-License-Identifier: Apache-2.0 */
/* What an input is: from its content where it is a file, from its spelling where it is not. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gst/base/gsttypefindhelper.h>
#include <gst/tag/tag.h>

enum { PROBE_BYTES = 65536 };

/** Reads the file's start; -1 with errno where it cannot be read. */
static ssize_t read_head(const char *path, uint8_t *data, size_t size)
{
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (got < size) {
        ssize_t n = read(fd, data + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;
            close(fd);
            errno = saved;
            return -1;
        }
        if (n == 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    return (ssize_t)got;
}

static bool is_still_image(const uint8_t *data, size_t size)
{
    GstCaps *caps = gst_type_find_helper_for_data(NULL, data, size, NULL);
    const char *name = caps ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
    bool image = g_str_has_prefix(name, "image/");
    if (caps)
        gst_caps_unref(caps);
    return image;
}

/** A picture that moves: GIF's loop, APNG's and WebP's chunks are near the start. */
static bool is_animation(const uint8_t *data, size_t size)
{
    static const struct {
        const char *magic, *mark;
    } kinds[] = {{"GIF8", "NETSCAPE2.0"}, {"\x89PNG", "acTL"}, {"RIFF", "ANIM"}};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (size > 4 && !memcmp(data, kinds[i].magic, 4))
            return memmem(data, MIN(size, 2048), kinds[i].mark, strlen(kinds[i].mark)) != NULL;
    return false;
}

bool pipe_probe_file(const char *path, const char *name, bool *image, struct segman_error *error)
{
    uint8_t *data = g_malloc(PROBE_BYTES);
    ssize_t size = read_head(path, data, PROBE_BYTES);
    bool ok = size > 0;

    if (size < 0)
        segman_fail(error, SEGMAN_ERROR_IO, "cannot read %s: %s", name, g_strerror(errno));
    else if (size == 0)
        segman_fail(error, SEGMAN_ERROR_FORMAT, "%s is empty (0 bytes)", name);
    else
        *image = is_still_image(data, (size_t)size);
    if (ok && *image && is_animation(data, (size_t)size))
        pipe_log(SEGMAN_LOG_WARNING, "%s is an animation: of a GIF or PNG only the first picture is read, of WebP none", name);
    g_free(data);
    return ok;
}

/** The TIFF structure of a JPEG's Exif segment; NULL where there is none. */
static const uint8_t *find_exif(const uint8_t *data, size_t size, size_t *length)
{
    size_t at = 2;
    if (size < 4 || data[0] != 0xff || data[1] != 0xd8)
        return NULL;
    while (at + 10 <= size && data[at] == 0xff && data[at + 1] != 0xda) {
        size_t segment = (size_t)data[at + 2] << 8 | data[at + 3];
        if (data[at + 1] == 0xe1 && segment > 8 && at + 2 + segment <= size && !memcmp(data + at + 4, "Exif\0\0", 6)) {
            *length = segment - 8;
            return data + at + 10;
        }
        at += 2 + segment;
    }
    return NULL;
}

const char *pipe_probe_exif(const char *path)
{
    uint8_t *data = g_malloc(PROBE_BYTES);
    ssize_t size = read_head(path, data, PROBE_BYTES);
    size_t length = 0;
    const uint8_t *tiff = size > 0 ? find_exif(data, (size_t)size, &length) : NULL;
    const char *result = NULL;

    if (tiff) {
        GstBuffer *buffer = gst_buffer_new_memdup(tiff, length);
        GstTagList *tags = gst_tag_list_from_exif_buffer_with_tiff_header(buffer);
        const char *text = NULL;
        if (tags && gst_tag_list_peek_string_index(tags, GST_TAG_IMAGE_ORIENTATION, 0, &text))
            result = g_intern_string(text);
        if (tags)
            gst_tag_list_unref(tags);
        gst_buffer_unref(buffer);
    }
    g_free(data);
    return result;
}

bool pipe_probe_wants_pixbuf(const char *path)
{
    uint8_t head[4];
    return read_head(path, head, 4) == 4 &&
           (!memcmp(head, "BM", 2) || !memcmp(head, "GIF8", 4) || !memcmp(head, "II*", 4) || !memcmp(head, "MM\0*", 4));
}

static bool probe_uri(struct pipe_input *input, const char *text)
{
    static const char *const live[] = {"rtsp", "rtsps", "rtp", "udp", "srt", "rtmp", "rtmps", "whep"};
    char *protocol = gst_uri_get_protocol(text);
    input->uri = g_strdup(text);
    for (size_t i = 0; protocol && i < G_N_ELEMENTS(live); i++)
        input->live = input->live || !g_ascii_strcasecmp(protocol, live[i]);
    g_free(protocol);
    return true;
}

static bool probe_camera(struct pipe_input *input, const char *text)
{
    input->type = PIPE_INPUT_CAMERA;
    input->live = true;
    if (!strncmp(text, "camera:", 7))
        text += 7;
    input->uri = g_strdup(!strcmp(text, "camera") ? "" : text);
    return true;
}

static bool probe_folder(struct pipe_input *input, const char *path, struct segman_error *error)
{
    input->type = PIPE_INPUT_IMAGES;
    input->path = g_strdup(path);
    input->files = pipe_images_of_folder(path, error);
    return input->files != NULL;
}

static bool probe_path(struct pipe_input *input, const char *path, struct segman_error *error)
{
    struct stat st;
    bool image = false;

    if (!strncmp(path, "/dev/video", 10) || !strncmp(path, "/dev/v4l/", 9)) /* said to be absent in a camera's words, too */
        return probe_camera(input, path);
    if (stat(path, &st)) {
        if (errno == ENOENT && pipe_is_pattern(path)) {
            input->type = PIPE_INPUT_IMAGES;
            input->path = g_strdup(path);
            input->files = pipe_images_of_pattern(path, error);
            return input->files != NULL;
        }
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot open %s: %s", path, g_strerror(errno));
    }
    if (S_ISDIR(st.st_mode))
        return probe_folder(input, path, error);
    if (S_ISREG(st.st_mode) && !pipe_probe_file(path, path, &image, error))
        return false;
    input->type = image ? PIPE_INPUT_IMAGE : PIPE_INPUT_URI;
    input->path = g_strdup(path);
    input->uri = gst_filename_to_uri(path, NULL);
    return input->uri != NULL || segman_fail(error, SEGMAN_ERROR_IO, "cannot open %s", path);
}

bool pipe_input_probe(struct pipe_input *input, const char *text, struct segman_error *error)
{
    char *path = NULL;
    bool ok;

    *input = (struct pipe_input){.type = PIPE_INPUT_URI};
    if (!text || !*text)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "no input is given");
    input->name = g_strdup(!strcmp(text, "-") ? "standard input" : text);
    if (!strcmp(text, "-")) {
        input->uri = g_strdup("fd://0");
        return true;
    }
    if (!strcmp(text, "test") || !strncmp(text, "test:", 5)) {
        input->type = PIPE_INPUT_TEST;
        input->uri = g_strdup(text);
        return true;
    }
    if ((!strcmp(text, "camera") && !g_file_test(text, G_FILE_TEST_EXISTS)) || !strncmp(text, "camera:", 7))
        return probe_camera(input, text);
    if (strstr(text, "://") && gst_uri_is_valid(text)) {
        path = gst_uri_has_protocol(text, "file") ? g_filename_from_uri(text, NULL, NULL) : NULL;
        if (!path)
            return probe_uri(input, text);
    }
    ok = probe_path(input, path ? path : text, error);
    g_free(path);
    return ok;
}

void pipe_input_finish(struct pipe_input *input)
{
    g_free(input->uri);
    g_free(input->name);
    g_free(input->path);
    if (input->files)
        g_ptr_array_unref(input->files);
    *input = (struct pipe_input){0};
}
