/* SPDX-License-Identifier: Apache-2.0 */
/**
 * tuning.h: which row of op_conv_table.c was the fastest for a convolution on this device, where somebody measured it.
 * The lowering asks; tune.c measures what it asked in vain. A choice names the row by its sizes, so that a file written by
 * a program with another table costs nothing but the choice.
 *
 * Threads: a table may be shared; its calls lock.
 */
#ifndef NET_TUNING_H
#define NET_TUNING_H

#include "../gpu/gpu.h"

/** A convolution as far as its time depends on it. */
struct net_job {
    uint32_t c, h, w; /**< input */
    uint32_t out, kernel, stride, pad;
    bool f16;
    uint32_t rows; /**< bit i: row i of the table can compute it; not part of the key */
};

struct net_tuning;
struct net_tuning *net_tuning_create(void);
void net_tuning_destroy(struct net_tuning *t);
/** Adds the choices of a file (JSON). One that is missing or damaged holds none. */
void net_tuning_load(struct net_tuning *t, const char *path);
bool net_tuning_save(const struct net_tuning *t, const char *path, struct segman_error *error);

/** 1 + the row that was measured to be the fastest; 0: not known. t may be NULL. */
uint32_t net_tuning_row(struct net_tuning *t, const struct net_job *job);
/** From here on net_tuning_row remembers which jobs it did not know (on), or forgets them (off). */
void net_tuning_collect(struct net_tuning *t, bool on);
void net_tuning_choose(struct net_tuning *t, const struct net_job *job, uint32_t row);
/** The i-th job that was asked for and not known; false past the last. */
bool net_tuning_wanted(struct net_tuning *t, size_t i, struct net_job *job);

/** Called before each job; false stops. */
typedef bool (*net_tune_fn)(void *user, uint32_t done, uint32_t total);
/** Measures every row for every wanted job and chooses. What was measured before an error or a stop stays chosen. */
bool net_tune(struct net_tuning *t, struct gpu *gpu, net_tune_fn progress, void *user, struct segman_error *error);

#endif
