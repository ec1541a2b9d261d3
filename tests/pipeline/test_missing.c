/* SPDX-License-Identifier: Apache-2.0 */
/* Elements that are not installed: their packages are named. They are taken out of this process's registry. */
#include "support.h"

#include <string.h>

/** Removes every element whose name has the text in it. */
static void remove_elements(const char *text)
{
    GList *all = gst_registry_get_feature_list(gst_registry_get(), GST_TYPE_ELEMENT_FACTORY);
    for (GList *i = all; i; i = i->next)
        if (strstr(GST_OBJECT_NAME(i->data), text))
            gst_registry_remove_feature(gst_registry_get(), i->data);
    gst_plugin_feature_list_free(all);
}

static void remove_decoders(const char *type)
{
    GstCaps *caps = gst_caps_new_empty_simple(type);
    GList *all = gst_element_factory_list_get_elements(GST_ELEMENT_FACTORY_TYPE_DECODER, GST_RANK_NONE);
    GList *fit = gst_element_factory_list_filter(all, caps, GST_PAD_SINK, FALSE);
    for (GList *i = fit; i; i = i->next)
        gst_registry_remove_feature(gst_registry_get(), i->data);
    gst_plugin_feature_list_free(fit);
    gst_plugin_feature_list_free(all);
    gst_caps_unref(caps);
}

static void test_decoder(void)
{
    const char *path = in_folder("x.mp4");
    CU_ASSERT_FATAL(
        run_pipeline("videotestsrc num-buffers=3 ! x264enc ! mp4mux name=m ! filesink location=%s audiotestsrc num-buffers=9 ! opusenc"
                     " ! queue ! m.",
                     path));
    remove_decoders("video/x-h264");
    expect_open_error(path, "H.264", "Debian package gstreamer1.0-libav");
    CU_ASSERT_EQUAL(files_in_folder(), 1);
}

/** The next best encoder steps in, until there is none. */
static void test_encoder(void)
{
    struct pipe_sink_params params = {.output = in_folder("x.mp4"), .format = {.format = SEGMAN_FORMAT_NV12, .width = 64, .height = 48}};
    struct pipe_sink *sink;

    remove_elements("x264enc");
    sink = pipe_sink_open(&params, NULL);
    if (sink) /* openh264enc, or hardware */
        CU_ASSERT_PTR_NULL(strstr(pipe_sink_describe(sink), "x264enc in"));
    pipe_sink_destroy(sink);
    remove_elements("h264");
    expect_sink_error(&params, "gstreamer1.0-plugins-ugly brings x264enc");
    params.output = in_folder("x.mkv"); /* has more to choose from */
    sink = pipe_sink_open(&params, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sink);
    CU_ASSERT_PTR_NOT_NULL(strstr(pipe_sink_describe(sink), "VP9"));
    pipe_sink_destroy(sink);
    remove_elements("ffv1");
    params.gray = true;
    expect_sink_error(&params, "gstreamer1.0-libav");
    remove_elements("mp4mux");
    params.gray = false;
    params.codec = "av1";
    params.output = in_folder("y.mp4");
    expect_sink_error(&params, "gstreamer1.0-plugins-good");
    CU_ASSERT_EQUAL(files_in_folder(), 0);
}

int main(void)
{
    static const struct named_test tests[] = {{"decoder", test_decoder}, {"encoder", test_encoder}, {NULL, NULL}};
    return run_tests("missing", tests);
}
