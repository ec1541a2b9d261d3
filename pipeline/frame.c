/* SPDX-License-Identifier: Apache-2.0 */
/* A sample as a mapped frame. */
#include "internal.h"

/* The mapping keeps the buffer; the sample goes back at once: appsink changes it at a seek. */
struct held_frame {
    GstVideoFrame video;
};

void pipe_frame_release(struct pipe_frame *frame)
{
    struct held_frame *held = frame ? frame->opaque : NULL;
    if (!held)
        return;
    gst_video_frame_unmap(&held->video);
    g_free(held);
    frame->opaque = NULL;
}

bool pipe_frame_map(struct pipe_frame *frame, GstSample *sample)
{
    struct held_frame *held = g_new0(struct held_frame, 1);
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    GstVideoInfo info;

    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) || !pipe_format_from_video_info(&frame->format, &info) ||
        !gst_video_frame_map(&held->video, &info, buffer, GST_MAP_READ)) {
        g_free(held);
        return false;
    }
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(&held->video) && i < 3; i++) {
        frame->plane[i] = GST_VIDEO_FRAME_PLANE_DATA(&held->video, i);
        frame->stride[i] = (uint32_t)GST_VIDEO_FRAME_PLANE_STRIDE(&held->video, i);
    }
    frame->opaque = held;
    frame->duration_ns = GST_BUFFER_DURATION_IS_VALID(buffer) ? (int64_t)GST_BUFFER_DURATION(buffer) : -1;
    return true;
}
