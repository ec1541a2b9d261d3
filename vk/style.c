/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "context.h"
#include "model/dataset.h"

void segman_style_default(struct segman_style *style, const struct segman_model *model, const struct segman_dataset *dataset)
{
    if (!dataset && model)
        dataset = segman_model_dataset(model);
    *style = (struct segman_style){.opacity = 0.5f};
    for (uint32_t i = 0; i < SEGMAN_MAX_CLASSES; i++) {
        if (dataset && i < dataset->classes)
            memcpy(style->palette[i], dataset->palette[i], 3);
        else
            dataset_generate_color(i, style->palette[i]);
        style->palette[i][3] = 255;
    }
}
