/* SPDX-License-Identifier: Apache-2.0 */
/**
 * netsize.h: which size the network sees for a frame's size.
 */
#ifndef APP_NETSIZE_H
#define APP_NETSIZE_H

#include "options.h"

enum app_netsize_kind { APP_NETSIZE_SHORT, APP_NETSIZE_EXACT, APP_NETSIZE_NATIVE };

struct app_netsize {
    enum app_netsize_kind kind;
    uint32_t side;          /**< SHORT: of the short side */
    uint32_t width, height; /**< EXACT */
    bool slide;             /**< crops at a stride instead of the whole image */
};

/** What the network gets. */
struct app_netsize_result {
    uint32_t width, height;
    uint32_t crop, stride; /**< 0: whole */
};

/** From --size and --mode. text is "HxW", "short:N", "native", or NULL for the mode's default. */
bool app_netsize_parse(struct app_netsize *rule, const char *text, enum app_mode mode, struct segman_error *error);

/**
 * SHORT: the short side becomes N, but the long one at most 4 N (2048 for 512), aspect kept. NATIVE: the frame's own size. Then both
 * sides are rounded up to a multiple of 32 and to the model's smallest side.
 */
bool app_netsize_apply(const struct app_netsize *rule, uint32_t width, uint32_t height, uint32_t min_side,
                       struct app_netsize_result *result, struct segman_error *error);

#endif
