/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest program around libsegman: what is in a picture, and how much of it?
 *
 *   cc example.c $(pkg-config --cflags --libs segman) -o example
 *   ./example segman_t_indoor24.safetensors 640 480 <picture.rgba
 *
 * The picture is raw RGBA on standard input, row by row. Video works the same way: begin and submit up to
 * `slots` frames ahead, wait for the oldest, and release it.
 */
#include <segman/segman.h>
#include <stdlib.h>

static bool read_picture(const struct segman_planes *planes)
{
    for (uint32_t y = 0; y < planes->rows[0]; y++) {
        if (fread(planes->plane[0] + (size_t)y * planes->stride[0], 1, planes->bytes[0], stdin) != planes->bytes[0])
            return false;
    }
    return true;
}

static void print_shares(const struct segman_dataset *classes, const struct segman_result *result, uint32_t width, uint32_t height)
{
    uint64_t count[256] = {0};

    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++)
            count[result->labels[(size_t)y * result->labels_stride + x]]++;
    }
    for (uint32_t i = 0; i < 256; i++) {
        if (count[i])
            printf("%5.1f %%  %s\n", 100.0 * (double)count[i] / ((double)width * height),
                   classes && i < classes->classes ? classes->class_names[i] : "(unnamed)");
    }
}

/* One picture through a session. */
static bool segment(struct segman_session *session, const struct segman_dataset *classes, uint32_t width, uint32_t height,
                    struct segman_error *error)
{
    struct segman_planes planes;
    struct segman_result result;

    if (!segman_session_begin(session, &planes, error))
        return false;
    if (!read_picture(&planes))
        return segman_fail(error, SEGMAN_ERROR_IO, "the picture ends early: %ux%u RGBA is expected", width, height);
    if (!segman_session_submit(session, 0, error) || !segman_session_wait(session, UINT64_MAX, &result, error))
        return false;
    print_shares(classes, &result, width, height);
    segman_session_release(session);
    return true;
}

int main(int argc, char **argv)
{
    struct segman_error error = {0};
    struct segman_context *context = NULL;
    struct segman_model *model = NULL;
    struct segman_session *session = NULL;
    bool good = false;

    if (argc != 4) {
        fprintf(stderr, "usage: example CHECKPOINT WIDTH HEIGHT <picture.rgba\n");
        return 2;
    }
    struct segman_session_params params = {
        .frame = {.format = SEGMAN_FORMAT_RGBA, .width = (uint32_t)atoi(argv[2]), .height = (uint32_t)atoi(argv[3])},
        .net_width = 320, /* multiples of 32: what the picture is resized to for the network */
        .net_height = 256,
        .view = SEGMAN_VIEW_NONE, /* labels only; SEGMAN_VIEW_OVERLAY draws them, too */
        .slots = 1,
    };
    context = segman_context_create(&(struct segman_context_params){.device = getenv("SEGMAN_DEVICE")}, &error);
    model = context ? segman_model_open(context, argv[1], &error) : NULL;
    session = model ? segman_session_create(model, &params, &error) : NULL;
    if (session)
        good = segment(session, segman_model_dataset(model), params.frame.width, params.frame.height, &error);
    if (!good)
        fprintf(stderr, "example: %s\n", error.message);
    segman_session_destroy(session); /* in this order; NULL is welcome */
    segman_model_destroy(model);
    segman_context_destroy(context);
    return good ? 0 : 1;
}
