/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions of a qkv tensor: one pass, one invocation a quad. */
#include <math.h>

#include "op_common.h"
#include "shaders/iface.h"

enum { ROPE_LOCAL = 128, ROPE_GROUPS_X = 32768 };

/*
 * 10000^-(j / (pairs - 1)), rounded as the reference's float32 arithmetic does: torch's linspace goes by multiples of
 * the step from either end, whichever is nearer. A last bit matters: positions multiply it by hundreds.
 */
static float rope_angle(uint32_t j, uint32_t pairs)
{
    if (pairs == 1)
        return 1.0f;
    float step = 1.0f / (float)(pairs - 1);
    float at = j < pairs / 2 ? step * (float)j : 1.0f - step * (float)(pairs - 1 - j);
    return 1.0f / powf(10000.0f, at);
}

float *op_rope_turns(struct lower *l, uint32_t h, uint32_t w, uint32_t d, size_t *bytes)
{
    uint32_t positions = h > w ? h : w, pairs = d / 4;
    *bytes = (size_t)positions * pairs * 2 * sizeof(float);
    float *turns = lower_alloc(l, *bytes);
    for (uint32_t i = 0; turns && i < positions; i++)
        for (uint32_t j = 0; j < pairs; j++) {
            /* The float32 product of position and angle, as the reference has it. */
            float t = (float)i * rope_angle(j, pairs);
            turns[2 * (i * pairs + j)] = (float)cos((double)t);
            turns[2 * (i * pairs + j) + 1] = (float)sin((double)t);
        }
    return turns;
}

bool op_rope_lower(struct lower *l, const struct node *node)
{
    struct net_memory in = lower_input(l, 0), out = lower_output(l);
    uint32_t d = node->c / 3 / node->heads;
    size_t bytes;
    float *turns = op_rope_turns(l, node->h, node->w, d, &bytes);
    if (!turns)
        return false;

    struct rope_push push = {
        .in_stride = in.stride4,
        .in_offset = in.offset4,
        .out_stride = out.stride4,
        .out_offset = out.offset4,
        .width = node->w,
        .pixels = node->h * node->w,
        .quads = node->c / 12,
        .head_quads = d / 4,
        .out_quads = node->c / 4 + out.pad4,
        .scale = 1.0f / sqrtf((float)d),
    };
    uint32_t groups = div_up(push.pixels * push.out_quads, ROPE_LOCAL);
    struct lower_pass pass = {
        .shader = "rope",
        .binding = {{in.range, GPU_READ}, {out.range, GPU_WRITE}, {lower_upload(l, turns, bytes), GPU_READ}},
        .n_bindings = 3,
        .push = &push,
        .push_size = sizeof push,
        .groups = {groups < ROPE_GROUPS_X ? groups : ROPE_GROUPS_X, div_up(groups, ROPE_GROUPS_X), 1},
        .flops = 6.0 * push.pixels * (2.0 * node->c / 3),
        .bytes = 2.0 * push.pixels * node->c * (out.f16 ? 2 : 4),
    };
    return lower_pass(l, &pass);
}
