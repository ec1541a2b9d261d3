/* SPDX-License-Identifier: Apache-2.0 */
#include "lists.h"

/* Timers of the main list: begin, uploaded, one after each timed pass, all passes done, read back. */
#define MARK_UPLOADED     1
#define MARK_DONE(passes) (MARK_UPLOADED + 1 + (passes))
#define MARKS             4

/* The order of a frame. */
static const enum gpu_queue order[GPU_QUEUES] = {GPU_QUEUE_UPLOAD, GPU_QUEUE_MAIN, GPU_QUEUE_READBACK};

bool slot_lists_create(struct slot_lists *l, struct gpu *gpu, const bool beside[GPU_QUEUES], uint32_t number, uint32_t timers,
                       struct segman_error *error)
{
    *l = (struct slot_lists){0};
    for (uint32_t i = 0; i < GPU_QUEUES; i++) {
        bool main = i == GPU_QUEUE_MAIN;
        if (!main && !beside[i])
            continue;
        l->list[i] = gpu_commands_create_for(gpu, i, number, main ? MARKS + timers : 2, error);
        if (!l->list[i])
            return false;
    }
    return true;
}

void slot_lists_destroy(struct slot_lists *l)
{
    for (uint32_t i = 0; i < GPU_QUEUES; i++)
        gpu_commands_destroy(l->list[i]);
    *l = (struct slot_lists){0};
}

static void part(const struct slot_lists *l, enum gpu_queue which, const slot_record_fn record[GPU_QUEUES], void *user, uint32_t slot)
{
    if (!l->list[which] && record[which])
        record[which](user, slot, l->list[GPU_QUEUE_MAIN]);
}

static bool record_main(struct slot_lists *l, const slot_record_fn record[GPU_QUEUES], void *user, uint32_t slot, bool serial,
                        struct segman_error *error)
{
    struct gpu_commands *c = l->list[GPU_QUEUE_MAIN];
    if (!gpu_commands_begin(c, error))
        return false;
    gpu_commands_serial(c, serial);
    gpu_commands_timer(c);
    part(l, GPU_QUEUE_UPLOAD, record, user, slot);
    uint32_t before = gpu_commands_timer(c);
    record[GPU_QUEUE_MAIN](user, slot, c);
    uint32_t after = gpu_commands_timer(c);
    l->passes = after > before ? after - before - 1 : 0; /* equal: there are no timers */
    part(l, GPU_QUEUE_READBACK, record, user, slot);
    gpu_commands_timer(c);
    return gpu_commands_end(c, error);
}

static bool record_copies(struct gpu_commands *c, slot_record_fn record, void *user, uint32_t slot, struct segman_error *error)
{
    if (!gpu_commands_begin(c, error))
        return false;
    gpu_commands_timer(c);
    record(user, slot, c);
    gpu_commands_timer(c);
    return gpu_commands_end(c, error);
}

bool slot_lists_record(struct slot_lists *l, const slot_record_fn record[GPU_QUEUES], void *user, uint32_t slot, bool serial,
                       struct segman_error *error)
{
    for (uint32_t i = 0; i < GPU_QUEUES; i++)
        if (i != GPU_QUEUE_MAIN && l->list[i] && !record_copies(l->list[i], record[i], user, slot, error))
            return false;
    return record_main(l, record, user, slot, serial, error);
}

bool slot_lists_submit(struct slot_lists *l, uint64_t patience_ns, struct segman_error *error)
{
    const struct gpu_commands *before = NULL;
    for (uint32_t i = 0; i < GPU_QUEUES; i++) {
        struct gpu_commands *c = l->list[order[i]];
        if (!c)
            continue;
        if (!gpu_commands_submit_after(c, before, error)) {
            slot_lists_wait(l, patience_ns, NULL); /* the parts that were submitted */
            return false;
        }
        before = c;
    }
    return true;
}

/* The last part is waited for first: the others are done then. */
bool slot_lists_wait(struct slot_lists *l, uint64_t timeout_ns, struct segman_error *error)
{
    for (uint32_t i = GPU_QUEUES; i-- > 0;)
        if (l->list[order[i]] && !gpu_commands_wait(l->list[order[i]], timeout_ns, error))
            return false;
    return true;
}

double slot_lists_time(const struct slot_lists *l, enum gpu_queue part)
{
    const struct gpu_commands *c = l->list[GPU_QUEUE_MAIN];
    double uploaded = gpu_commands_time(c, MARK_UPLOADED), done = gpu_commands_time(c, MARK_DONE(l->passes));
    if (part == GPU_QUEUE_MAIN)
        return done - uploaded;
    if (l->list[part])
        return gpu_commands_time(l->list[part], 1);
    return part == GPU_QUEUE_UPLOAD ? uploaded : gpu_commands_time(c, MARK_DONE(l->passes) + 1) - done;
}

double slot_lists_pass_time(const struct slot_lists *l, uint32_t i)
{
    const struct gpu_commands *c = l->list[GPU_QUEUE_MAIN];
    return i < l->passes ? gpu_commands_time(c, MARK_UPLOADED + i + 1) - gpu_commands_time(c, MARK_UPLOADED + i) : 0;
}
