/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ops: to add one, give it a row here, a shader and a file op_NAME.c (docs/adding-an-op.md). */
#include "lower.h"

const struct net_op_impl net_ops[OP_COUNT] = {
    [OP_NONE] = {"none", NULL, NULL},
    [OP_INPUT] = {"input", NULL, NULL},
    [OP_CONV] = {"conv", NULL, op_conv_lower},
    [OP_DWCONV] = {"dwconv", NULL, op_dwconv_lower},
    [OP_BATCH_NORM] = {"batch norm", NULL, op_pointwise_lower},
    [OP_LAYER_NORM] = {"layer norm", NULL, op_layer_norm_lower},
    [OP_ACT] = {"activation", NULL, op_pointwise_lower},
    [OP_ADD] = {"add", NULL, op_pointwise_lower},
    [OP_SCALE] = {"scale", NULL, op_pointwise_lower},
    [OP_SLICE] = {"slice", NULL, NULL},
    [OP_CONCAT] = {"concat", NULL, op_copy_lower},
    [OP_RESIZE] = {"resize", NULL, op_resize_lower},
    [OP_UNSHUFFLE] = {"unshuffle", NULL, op_unshuffle_lower},
    [OP_POOL] = {"pool", op_pool_scratch, op_pool_lower},
    [OP_ROPE] = {"rope", NULL, op_rope_lower},
    [OP_NATTEN] = {"neighborhood attention", NULL, op_natten_lower},
    [OP_ATTENTION] = {"global attention", op_attention_scratch, op_attention_lower},
    [OP_SCAN] = {"scan", op_scan_scratch, op_scan_lower},
    [OP_DWNORM] = {"dwconv + norm", NULL, op_dwnorm_lower},
    [OP_ALSO] = {"second output", NULL, NULL},
};
