/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <stdio.h>
#include <string.h>

int runner_run(const char *suite, const CU_TestInfo *tests, const char *only)
{
    CU_pSuite s = CU_initialize_registry() == CUE_SUCCESS ? CU_add_suite(suite, NULL, NULL) : NULL;
    for (; s && tests->pName; tests++)
        if (!only || !strcmp(only, tests->pName))
            CU_add_test(s, tests->pName, tests->pTestFunc);
    if (CU_get_error() != CUE_SUCCESS) {
        fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
        return 1;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_ErrorCode code = CU_basic_run_tests();
    int bad = code != CUE_SUCCESS || CU_get_number_of_failures() || !CU_get_number_of_asserts();
    CU_cleanup_registry();
    return bad;
}
