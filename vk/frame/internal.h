/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of vk/frame. */
#ifndef FRAME_INTERNAL_H
#define FRAME_INTERNAL_H

#include "frame.h"
#include "shaders/iface.h"

/* The reference's MEAN and STD (training's normalisation of 8-bit RGB). */
#define FRAME_MEAN                                                                                                                         \
    {                                                                                                                                      \
        123.675f, 116.28f, 103.53f                                                                                                         \
    }
#define FRAME_STD                                                                                                                          \
    {                                                                                                                                      \
        58.395f, 57.12f, 57.375f                                                                                                           \
    }

/* YCbCr of 8 bits <-> RGB of 8 bits, coefficients scaled by 2^16. */
struct frame_colour {
    int32_t y_black, y_gain, cr_red, cb_green, cr_green, cb_blue; /* to RGB */
    int32_t row[3][3];                                            /* from RGB: Y, Cb, Cr by R, G, B */
};
struct frame_colour frame_colour(enum segman_matrix matrix, enum segman_range range);
/* Y | Cb << 8 | Cr << 16 */
uint32_t frame_ycbcr(const struct frame_colour *colour, uint32_t r, uint32_t g, uint32_t b);

#define FRAME_MAX_BLEND 2 /* passes of a view */

/* What frame_decide.comp says of a frame. */
struct frame_verdict {
    uint32_t skipped;
    float change;
};

/* temporal.c: device buffers of all slots, which run in order of submission. */
struct frame_temporal {
    struct gpu_buffer reference, cells, peak; /* frame_motion.comp's */
    struct gpu_buffer counts, arguments;      /* group counts of the conditional passes: their own (mapped), of this frame */
    bool reset;                               /* the next frame has no past */
};

struct frame_slot {
    struct gpu_buffer upload, result;                     /* mapped; upload: the frame, then the style */
    struct gpu_buffer picture[2];                         /* mapped; [picture_side] is in use, the other one empty */
    struct gpu_buffer own_frame, own_scratch, own_result; /* with keep or own_..., in the place of the program's */
    uint32_t style_version, picture_version;              /* what they hold */
    struct net_pass convert, candidates, labels, blend[FRAME_MAX_BLEND];
    struct net_pass *input;             /* [crops] */
    struct gpu_buffer control, verdict; /* mapped; see temporal.c */
    struct net_pass motion[FRAME_MAX_CROPS], evidence[FRAME_MAX_CROPS], decide;
};

struct frame_program {
    struct gpu *gpu;
    struct frame_params p; /* crops: owned */
    struct frame_layout frame, view;
    struct frame_colour colour;
    bool staged;                        /* memory is not unified: frames, styles and results are copied */
    uint64_t style_offset, upload_size; /* in the upload buffers */
    uint32_t view_width, label_stride;
    uint64_t confidence_offset, view_offset, result_size; /* in the result buffers: labels, confidence, view */
    uint64_t crop_pitch;                                  /* bytes */
    struct net_memory seen;                               /* what labels are made of: the network's logits, or what lasts of them */
    struct frame_temporal temporal;
    uint32_t ratio;          /* input pixels from logit to logit */
    uint32_t scratch_stride; /* pixels */
    struct gpu_buffer scratch, candidates, device_frame, device_result, crop_table, crop_logits;
    struct frame_slot slot[SEGMAN_MAX_SLOTS];
    uint32_t style[FRAME_STYLE_PAIRS][2];
    uint32_t *picture; /* clipped to the view, in its colours */
    uint32_t picture_words, picture_capacity;
    uint32_t picture_side;
    uint32_t style_version, picture_version;
};

/* Where a slot's passes find the frame and the style, the frame as packed RGB, and leave labels, confidence and view. */
const struct gpu_buffer *frame_source(const struct frame_program *program, const struct frame_slot *slot);
struct gpu_range frame_rgb(const struct frame_program *program, const struct frame_slot *slot);
const struct gpu_buffer *frame_results(const struct frame_program *program, const struct frame_slot *slot);
uint32_t frame_rgb_stride(const struct frame_program *program); /* pixels */

bool frame_pass_create(const struct frame_program *program, struct net_pass *pass, const struct gpu_pass_desc *desc, double flops,
                       struct segman_error *error);
void frame_record_pass(const struct frame_program *program, struct gpu_commands *commands, const struct net_pass *pass);

/* temporal.c. Whether evidence lasts from frame to frame: then it is in crop_logits. */
bool frame_temporal(const struct frame_program *program);
void frame_temporal_lay_out(struct frame_program *program);
bool frame_temporal_create(struct frame_program *program, struct segman_error *error);
void frame_temporal_destroy(struct frame_program *program);
uint64_t frame_temporal_memory(const struct frame_program *program);
bool frame_temporal_slot_create(struct frame_program *program, uint32_t slot, struct segman_error *error);
void frame_temporal_slot_destroy(struct frame_program *program, uint32_t slot);
void frame_temporal_prepare(struct frame_program *program, uint32_t slot);
void frame_temporal_result(const struct frame_program *program, uint32_t slot, struct segman_result *result);

bool frame_passes_create(struct frame_program *program, uint32_t slot, struct segman_error *error);
/* The view's passes alone, reading the overlay picture from the given side; what was made remains after a failure. */
bool frame_blend_create(const struct frame_program *program, uint32_t slot, uint32_t side, struct net_pass pass[FRAME_MAX_BLEND],
                        struct segman_error *error);
void frame_blend_destroy(const struct frame_program *program, struct net_pass pass[FRAME_MAX_BLEND]);
void frame_passes_destroy(struct frame_program *program, uint32_t slot);

#endif
