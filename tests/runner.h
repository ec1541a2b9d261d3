/* SPDX-License-Identifier: Apache-2.0 */
/** runner.h: runs one suite of CUnit tests. */
#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

/** Runs the tests in turn and prints the summary. 0: all passed, and something was asserted. tests ends with CU_TEST_INFO_NULL. */
int runner_run(const char *suite, CU_TestInfo *tests);

#endif
