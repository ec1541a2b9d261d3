/* SPDX-License-Identifier: Apache-2.0 */
/* vk/frame against plain C, on the Vulkan device that is there, under the validation layer. */
#include "../runner.h"
#include <stdio.h>

#include "cases.h"
#include "rig.h"

const enum segman_pixel_format formats[4] = {SEGMAN_FORMAT_RGBA, SEGMAN_FORMAT_BGRX, SEGMAN_FORMAT_NV12, SEGMAN_FORMAT_I420};
const struct side_pair sizes[6] = {{1, 1}, {2, 2}, {3, 5}, {64, 4}, {65, 9}, {70, 67}};

uint32_t messages(void)
{
    return gpu_validation_messages(rig_gpu);
}

static void test_validation(void)
{
    CU_ASSERT_EQUAL(messages(), 0);
}

int main(void)
{
    struct segman_error error = {0};
    const struct segman_context_params params = {.validation = true};
    rig_gpu = gpu_create(&params, &error);
    if (!rig_gpu) {
        fprintf(stderr, "%s\n", error.message);
        return error.status == SEGMAN_ERROR_NO_DEVICE ? 77 : 1;
    }
    static CU_TestInfo tests[] = {
        {"layout", test_layout},
        {"crops", test_crops},
        {"YCbCr of colours", test_ycbcr},
        {"convert: matrices, ranges, sites", test_convert},
        {"convert: sizes", test_convert_sizes},
        {"known colours", test_known_colours},
        {"input", test_input},
        {"input of crops", test_input_crops},
        {"input is that of the RGB picture", test_identity},
        {"labels: classes", test_labels},
        {"labels: sizes", test_labels_sizes},
        {"labels: large", test_labels_large},
        {"labels: ties", test_labels_ties},
        {"labels: crops", test_labels_crops},
        {"confidence", test_confidence},
        {"views", test_views},
        {"views: sizes", test_views_sizes},
        {"pass-through", test_pass_through},
        {"slots", test_slots},
        {"overlay growth", test_overlay_growth},
        {"staged", test_staged},
        {"errors", test_errors},
        {"validation is silent", test_validation},
        CU_TEST_INFO_NULL,
    };
    int bad = runner_run("frame", tests);
    gpu_destroy(rig_gpu);
    return bad;
}
