/* SPDX-License-Identifier: Apache-2.0 */
/** rig.h: a frame program between a made-up input tensor and made-up logits. */
#ifndef TESTS_FRAME_RIG_H
#define TESTS_FRAME_RIG_H

#include "vk/frame/internal.h"

#define RIG_GUARD 256 /* bytes around tensors */

struct rig_params {
    struct segman_frame_format frame;
    enum segman_resize resize;
    enum segman_view view;
    enum segman_pixel_format view_format;
    uint32_t net_w, net_h;   /**< 0: 16 x 16 */
    uint32_t crop_w, crop_h; /**< 0: the whole image */
    uint32_t stride;         /**< of the crops */
    uint32_t ratio;          /**< 0: 8 */
    uint32_t classes;        /**< 0: 5 */
    uint32_t offset4;        /**< quads before the logits in a wider tensor */
    uint32_t slots;          /**< 0: 1 */
    bool f16;
    bool confidence;
    float smooth;
    bool skip_still;
    float still_threshold;
};

struct rig {
    struct rig_params p;
    struct frame_params frame;
    struct frame_crop crops[FRAME_MAX_CROPS];
    uint32_t n_crops;
    uint32_t guard_word;
    struct gpu_buffer input, logits;
    struct frame_program *program;
    struct gpu_commands *commands;
};

extern struct gpu *rig_gpu;

bool rig_init(struct rig *rig, const struct rig_params *params);
void rig_finish(struct rig *rig);

uint32_t rig_random(uint32_t *state);
/** Planes of a slot filled with noise; padding bytes too. */
void rig_fill(struct rig *rig, uint32_t slot, uint32_t seed);
/** Poisons the input tensor, runs the input of a crop and reads it: (h, w, 8) floats. Checks guards. */
bool rig_input(struct rig *rig, uint32_t slot, uint32_t crop, float *out);
/** Puts planar logits in place, as if the network had run the crop. */
bool rig_logits(struct rig *rig, uint32_t crop, const float *planar);
/** Fills the results with a pattern, makes them, checks that nothing else was written. */
bool rig_output(struct rig *rig, uint32_t slot, struct segman_result *result);

#endif
