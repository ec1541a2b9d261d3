/* SPDX-License-Identifier: Apache-2.0 */
/**
 * suites.h: the unit tests of app/, a NULL-terminated table a file.
 */
#ifndef TESTS_APP_SUITES_H
#define TESTS_APP_SUITES_H

#include <CUnit/CUnit.h>

extern CU_TestInfo test_netsize[], test_look[], test_progress[], test_stats[], test_npy[], test_options[], test_legend[], test_samples[],
    test_paths[];

/** A path in this process's own scratch folder; g_free() it. */
char *scratch(const char *name);

#endif
