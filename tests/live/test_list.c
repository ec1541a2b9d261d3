/* SPDX-License-Identifier: Apache-2.0 */
/* Listing cameras, finding one by what the user wrote, and choosing one of its formats. */
#include "fake_camera.h"
#include "suites.h"

#include "pipeline/devices.h"

#include <string.h>

#define VGA "video/x-raw, format=(string){ YUY2, NV12 }, width=640, height=480, framerate=(fraction){ 15/1, 30/1 }"
#define HD  "image/jpeg, width=1280, height=720, framerate=(fraction)[ 5/1, 60/1 ]"

static struct fake_camera two[] = {
    {.name = "Desk Camera", .serial = "desk-1", .path = "/dev/fake1", .caps = VGA "; " HD, .plugged = true, .shared = true},
    {.name = "Door Camera", .serial = "door-7", .path = "/dev/fake0", .caps = VGA, .plugged = true},
    {0},
};

static void test_listed(void)
{
    struct pipe_camera *list = NULL;
    struct segman_error error;
    size_t count = 0, formats = 0;

    fake_cameras(two);
    CU_ASSERT_FATAL(pipe_list_cameras(&list, &count, &error));
    CU_ASSERT_FATAL(count == 2); /* the shared one is listed once */
    CU_ASSERT_STRING_EQUAL(list[0].name, "Door Camera");
    CU_ASSERT_STRING_EQUAL(list[0].path, "/dev/fake0");
    CU_ASSERT_STRING_EQUAL(list[1].name, "Desk Camera");
    CU_ASSERT_STRING_EQUAL(list[1].id, "desk-1");
    for (size_t i = 0; i < list[1].n_formats; i++) {
        const struct pipe_camera_format *f = &list[1].formats[i];
        formats += !strcmp(f->format, "MJPEG") && f->width == 1280 && f->height == 720 && f->fps_num == 60 * f->fps_den;
        formats += !strcmp(f->format, "NV12") && f->width == 640 && f->height == 480 && f->fps_num == 30 * f->fps_den;
        formats += !strcmp(f->format, "YUY2");
    }
    CU_ASSERT(formats == 3 && list[1].n_formats == 3);
    pipe_free_cameras(list, count);
    fake_cameras(NULL);
    CU_ASSERT(pipe_list_cameras(&list, &count, &error) && count == 0);
    pipe_free_cameras(list, count);
}

static const char *found(const char *text, struct segman_error *error)
{
    GPtrArray *devices = pipe_devices_list();
    struct pipe_device *device = pipe_devices_find(devices, NULL, text, error);
    const char *id = device ? g_intern_string(device->id) : NULL;
    g_ptr_array_unref(devices);
    return id;
}

static void test_found(void)
{
    static const char *const cases[][2] = {
        {"", "door-7"},     {"0", "door-7"},          {"1", "desk-1"}, {"desk-1", "desk-1"}, {"Desk Camera", "desk-1"},
        {"desk", "desk-1"}, {"/dev/fake0", "door-7"},
    };
    struct segman_error error = {0};

    fake_cameras(two);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        CU_ASSERT_STRING_EQUAL(found(cases[i][0], &error), cases[i][1]);
    CU_ASSERT(!found("camera", &error));
    CU_ASSERT(strstr(error.message, "desk-1") && strstr(error.message, "door-7"));
    CU_ASSERT(!found("garden", &error));
    CU_ASSERT(strstr(error.message, "garden") && strstr(error.message, "Door Camera") && strstr(error.message, "Desk Camera"));
    fake_cameras(NULL);
    CU_ASSERT(!found("", &error));
    CU_ASSERT(strstr(error.message, "no camera") != NULL);
}

static void check_choice(const char *caps_text, const struct pipe_source_params *wish, const char *format, int width, int rate)
{
    GstCaps *caps = gst_caps_from_string(caps_text), *chosen = pipe_modes_choose(caps, wish);
    GstStructure *s;
    int w = 0, num = 0, den = 1;

    CU_ASSERT_FATAL(chosen && gst_caps_is_fixed(chosen));
    s = gst_caps_get_structure(chosen, 0);
    gst_structure_get_int(s, "width", &w);
    gst_structure_get_fraction(s, "framerate", &num, &den);
    CU_ASSERT(gst_structure_has_name(s, format) || !g_strcmp0(gst_structure_get_string(s, "format"), format));
    CU_ASSERT(w == width);
    CU_ASSERT(num == rate * den);
    gst_caps_unref(chosen);
    gst_caps_unref(caps);
}

static void test_chosen(void)
{
    static const char slow[] = "video/x-raw, format=YUY2, width=1280, height=720, framerate=10/1; " HD;
    static const char dma[] = "video/x-raw(memory:DMABuf), format=NV12, width=1280, height=720, framerate=30/1; " VGA;

    check_choice(VGA "; " HD, NULL, "image/jpeg", 1280, 30);
    check_choice(VGA "; " HD, &(struct pipe_source_params){.camera_width = 640, .camera_height = 480}, "NV12", 640, 30);
    check_choice(VGA "; " HD, &(struct pipe_source_params){.camera_rate = 15}, "image/jpeg", 1280, 15);
    check_choice(VGA "; " HD, &(struct pipe_source_params){.camera_rate = 60}, "image/jpeg", 1280, 60);
    check_choice(VGA "; " HD, &(struct pipe_source_params){.camera_width = 700, .camera_height = 500, .camera_rate = 15}, "NV12", 640, 15);
    check_choice(slow, NULL, "image/jpeg", 1280, 30);
    check_choice(dma, NULL, "NV12", 640, 30);
    check_choice("video/x-raw, format=I420, width=[1, 4000], height=[1, 4000], framerate=[0/1, 120/1]", NULL, "I420", 1280, 30);
}

void add_list_suite(void)
{
    CU_pSuite suite = CU_add_suite("list", NULL, NULL);
    CU_add_test(suite, "cameras are listed once, with formats", test_listed);
    CU_add_test(suite, "a camera is found by number, ID, name, path", test_found);
    CU_add_test(suite, "the format that fits the wish", test_chosen);
}
