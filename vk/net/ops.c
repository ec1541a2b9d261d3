/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ops: to add one, give it a row here, a shader and a file op_NAME.c (docs/adding-an-op.md). */
#include "lower.h"

const struct net_op_impl net_ops[OP_COUNT] = {
    [OP_NONE] = {"none", false, NULL, NULL},
    [OP_INPUT] = {"input", false, NULL, NULL},
    [OP_CONV] = {"conv", true, NULL, op_conv_lower},
    [OP_DWCONV] = {"dwconv", true, NULL, op_dwconv_lower},
    [OP_BATCH_NORM] = {"batch norm", true, NULL, op_pointwise_lower},
    [OP_LAYER_NORM] = {"layer norm", true, NULL, op_layer_norm_lower},
    [OP_ACT] = {"activation", true, NULL, op_pointwise_lower},
    [OP_ADD] = {"add", true, NULL, op_pointwise_lower},
    [OP_SCALE] = {"scale", true, NULL, op_pointwise_lower},
    [OP_SLICE] = {"slice", false, NULL, NULL},
    [OP_CONCAT] = {"concat", false, NULL, op_copy_lower},
    [OP_RESIZE] = {"resize", true, NULL, op_resize_lower},
    [OP_UNSHUFFLE] = {"unshuffle", false, NULL, op_unshuffle_lower},
    [OP_POOL] = {"pool", false, op_pool_scratch, op_pool_lower},
    [OP_ROPE] = {"rope", false, NULL, op_rope_lower},
    [OP_NATTEN] = {"neighborhood attention", false, NULL, op_natten_lower},
    [OP_ATTENTION] = {"global attention", false, op_attention_scratch, op_attention_lower},
    [OP_SCAN] = {"scan", true, op_scan_scratch, op_scan_lower},
    [OP_DWNORM] = {"dwconv + norm", false, NULL, op_dwnorm_lower},
    [OP_ALSO] = {"second output", false, NULL, NULL},
};
