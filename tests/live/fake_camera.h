/* SPDX-License-Identifier: Apache-2.0 */
/**
 * fake_camera.h: cameras for tests, listed by a device provider of this process, with videotestsrc behind them. They can be
 * unplugged, plugged in again elsewhere, and taken by "another program".
 */
#ifndef TESTS_LIVE_FAKE_CAMERA_H
#define TESTS_LIVE_FAKE_CAMERA_H

#include <gst/gst.h>
#include <stdbool.h>

struct fake_camera {
    const char *name, *serial;
    const char *path;    /* "device.path", or NULL */
    const char *caps;    /* what it can do */
    const char *encoder; /* for cameras that give compressed pictures: "jpegenc"; NULL: raw */
    bool plugged, busy, mute;
    bool shared; /* listed a second time, by "PipeWire", whose entry is never busy */
};

/** The cameras of this test, up to a NULL name; not copied. NULL: none. */
void fake_cameras(struct fake_camera *cameras);
/** Takes it away: what runs fails, and it is not listed any more. */
void fake_camera_unplug(struct fake_camera *camera);
/** Back again, as another device file. */
void fake_camera_plug(struct fake_camera *camera, const char *path);
/** It goes on without a word. */
void fake_camera_mute(struct fake_camera *camera, bool mute);
/** Sources opened so far. */
int fake_camera_opened(void);

#endif
