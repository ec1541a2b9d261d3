/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ops: to add one, give it a row here, a shader and a file op_NAME.c (docs/adding-an-op.md). */
#include "lower.h"

const struct net_op_impl net_ops[OP_COUNT] = {
    [OP_NONE] = {"none", false, NULL, NULL, 0},
    [OP_INPUT] = {"input", false, NULL, NULL, 0},
    [OP_CONV] = {"conv", true, NULL, op_conv_lower, 1},
    [OP_DWCONV] = {"dwconv", true, NULL, op_dwconv_lower, 1},
    [OP_BATCH_NORM] = {"batch norm", true, NULL, op_pointwise_lower, 1},
    [OP_LAYER_NORM] = {"layer norm", true, NULL, op_layer_norm_lower, 1},
    [OP_ACT] = {"activation", true, NULL, op_pointwise_lower, 1},
    [OP_ADD] = {"add", true, NULL, op_pointwise_lower, 1},
    [OP_SCALE] = {"scale", true, NULL, op_pointwise_lower, 1},
    [OP_SLICE] = {"slice", false, NULL, NULL, 0},
    [OP_CONCAT] = {"concat", false, NULL, op_copy_lower, 0},
    [OP_RESIZE] = {"resize", true, NULL, op_resize_lower, 1},
    [OP_UNSHUFFLE] = {"unshuffle", false, NULL, op_unshuffle_lower, 1},
    [OP_POOL] = {"pool", false, op_pool_scratch, op_pool_lower, 2},
    [OP_ROPE] = {"rope", false, NULL, op_rope_lower, 1},
    [OP_NATTEN] = {"neighborhood attention", false, NULL, op_natten_lower, 1},
    [OP_ATTENTION] = {"global attention", false, NULL, op_attention_lower, 1},
    [OP_SCAN] = {"scan", true, op_scan_scratch, op_scan_lower, 4, .late = 2},
    [OP_DWNORM] = {"dwconv + norm", false, NULL, op_dwnorm_lower, 1},
    [OP_ALSO] = {"second output", false, NULL, NULL, 0},
};
