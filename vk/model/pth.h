/* SPDX-License-Identifier: Apache-2.0 */
/** pth.h: between the container (pth.c) and the layout that mmseg gives its contents (mmseg.c). */
#ifndef MODEL_PTH_H
#define MODEL_PTH_H

#include "pickle.h"

/** Lists a tensor under a text key. */
bool pth_add(struct checkpoint *checkpoint, const struct pickle_value *key, const struct pickle_tensor *tensor, struct segman_error *error);

/** Lists the tensors of the checkpoint's weights, and takes classes and palette. */
bool mmseg_take(struct checkpoint *checkpoint, const struct pickle_value *root, struct segman_error *error);

#endif
