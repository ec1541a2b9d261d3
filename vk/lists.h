/* SPDX-License-Identifier: Apache-2.0 */
/**
 * lists.h: the command lists of a slot. Uploads and read-backs are lists of their own where they can run beside the main
 * queue's, so that a frame's transfers overlap with the network of the frames before and after it; else they are recorded
 * into the main list, before and after its passes.
 */
#ifndef VK_LISTS_H
#define VK_LISTS_H

#include "gpu/gpu.h"

struct slot_lists {
    struct gpu_commands *list[GPU_QUEUES]; /**< NULL: in the main one */
    uint32_t passes;                       /**< timed passes in the main list */
};

/** number: of the main queue; timers: of passes in the main list. What was made before a failure is destroyed by slot_lists_destroy(). */
bool slot_lists_create(struct slot_lists *lists, struct gpu *gpu, const bool beside[GPU_QUEUES], uint32_t number, uint32_t timers,
                       struct segman_error *error);
void slot_lists_destroy(struct slot_lists *lists);

/** How a part of a frame is recorded. */
typedef void (*slot_record_fn)(void *user, uint32_t slot, struct gpu_commands *commands);
/** Records all lists; record[i] is the part for queue i (NULL: nothing). serial: see gpu_commands_serial(). */
bool slot_lists_record(struct slot_lists *lists, const slot_record_fn record[GPU_QUEUES], void *user, uint32_t slot, bool serial,
                       struct segman_error *error);
/** All or none: after a failure nothing is in flight any more. patience_ns bounds that wait. */
bool slot_lists_submit(struct slot_lists *lists, uint64_t patience_ns, struct segman_error *error);
bool slot_lists_wait(struct slot_lists *lists, uint64_t timeout_ns, struct segman_error *error);

/** Milliseconds of a part of the last finished frame; of the i-th timed pass of the main list. */
double slot_lists_time(const struct slot_lists *lists, enum gpu_queue part);
double slot_lists_pass_time(const struct slot_lists *lists, uint32_t i);

#endif
