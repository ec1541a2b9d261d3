/* SPDX-License-Identifier: Apache-2.0 */
/** devices.h: which cameras there are, and which of their formats is taken. */
#ifndef PIPELINE_DEVICES_H
#define PIPELINE_DEVICES_H

#include "internal.h"

/** A camera. The kernel's and a media server's entries of the same one are its two ways. */
struct pipe_device {
    GstDevice *way[2]; /* the second one shares it with other programs; NULL: none. Both NULL: a device file alone */
    GstCaps *caps;     /* of the first way; NULL unknown */
    char *name, *id, *api;
    char *path; /* of the device file, or NULL */
};
/** Of struct pipe_device, which it owns: in a lasting order, V4L2's first. */
GPtrArray *pipe_devices_list(void);
/**
 * The camera with this stable ID or, where id is NULL, that the user's text means: "" the first one, a device file, an ID,
 * a name, a number from 0 on, or a part of a name. Errors list what is there.
 */
struct pipe_device *pipe_devices_find(GPtrArray *devices, const char *id, const char *text, struct segman_error *error);
/** "other cameras: ..." without this one. Free with g_free. */
char *pipe_devices_others(GPtrArray *devices, const struct pipe_device *device);

/* ---- modes.c */
/** The formats in caps, largest first. Free with g_free. */
struct pipe_camera_format *pipe_modes_list(const GstCaps *caps, size_t *count);
/** Caps of the one that fits the wish best, with nothing left open; NULL where caps say nothing. */
GstCaps *pipe_modes_choose(const GstCaps *caps, const struct pipe_source_params *wish);

#endif
