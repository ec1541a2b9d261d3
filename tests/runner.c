/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <stdio.h>

int runner_run(const char *suite, CU_TestInfo *tests)
{
    CU_SuiteInfo suites[] = {{.pName = suite, .pTests = tests}, CU_SUITE_INFO_NULL};
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS) {
        fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
        return 1;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_ErrorCode code = CU_basic_run_tests();
    int bad = code != CUE_SUCCESS || CU_get_number_of_failures() || !CU_get_number_of_asserts();
    CU_cleanup_registry();
    return bad;
}
