/* SPDX-License-Identifier: Apache-2.0 */
/** op_attention.h: the bias table of global attention, and its variant on cooperative matrices (op_attention_coop.c). */
#ifndef NET_OP_ATTENTION_H
#define NET_OP_ATTENTION_H

#include "lower.h"

/** The four taps of position i of n on an axis of `side` numbers, as torch's bicubic interpolation (A = -0.75) has them. */
void op_attention_taps(uint32_t i, uint32_t n, uint32_t side, uint32_t at[4], double weight[4]);
/** The bias (heads, side2, side2) as (heads, side2 of the keys, h * w queries), owned by l; NULL after an error. */
float *op_attention_bias(struct lower *l, const struct node *node);
/** Whether cooperative matrices can do it. */
bool op_attention_coop_fits(struct lower *l, const struct node *node);
bool op_attention_coop_lower(struct lower *l, const struct node *node);

#endif
