/* SPDX-License-Identifier: Apache-2.0 */
/** past.h: a frame program over many frames beside a plain C reference of its evidence, independent of it. */
#ifndef TESTS_TEMPORAL_PAST_H
#define TESTS_TEMPORAL_PAST_H

#include "tests/frame/ref.h"
#include "tests/frame/rig.h"

/** A rig, its stand-in for a network, and what the reference remembers. Frames have the network's size: it sees their bytes. */
struct past {
    struct rig rig;
    struct gpu_buffer made; /* logits of all crops, as the network would make them */
    uint64_t pitch;
    uint32_t frames, grid_w, grid_h, cells, classes, n_crops;
    bool fresh;            /* the next frame has no past */
    double *evidence;      /* [crop][class][cell] */
    double (*picture)[12]; /* [crop][cell] */
    double (*now)[12];
    double *difference; /* [crop][cell] */
};

bool past_init(struct past *p, const struct rig_params *params);
void past_finish(struct past *p);

/** Forgets, on both sides. */
void past_reset(struct past *p);
/**
 * Runs a frame in the next slot: rgba is the picture, logits are [crop][class][cell]. The reference goes along: *skipped is
 * what it decides.
 */
bool past_run(struct past *p, const uint8_t *rgba, const float *logits, struct segman_result *result, bool *skipped);
/** Largest difference between the evidence on the device and the reference's; negative after an error. */
double past_error(struct past *p);

#endif
