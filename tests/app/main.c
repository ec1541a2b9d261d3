/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include <CUnit/Basic.h>
#include <glib.h>
#include <glib/gstdio.h>

static char *folder;

char *scratch(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static void empty_folder(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *inner = g_build_filename(path, name, NULL);
        if (g_file_test(inner, G_FILE_TEST_IS_DIR))
            empty_folder(inner);
        else
            g_unlink(inner);
    }
    g_rmdir(path);
}

int main(void)
{
    CU_SuiteInfo suites[] = {
        {.pName = "netsize", .pTests = test_netsize},   {.pName = "look", .pTests = test_look},
        {.pName = "progress", .pTests = test_progress}, {.pName = "stats", .pTests = test_stats},
        {.pName = "npy", .pTests = test_npy},           {.pName = "options", .pTests = test_options},
        {.pName = "legend", .pTests = test_legend},     {.pName = "samples", .pTests = test_samples},
        {.pName = "paths", .pTests = test_paths},       CU_SUITE_INFO_NULL,
    };
    int failures = 1;

    folder = g_dir_make_tmp("segman-test-XXXXXX", NULL);
    if (!folder || CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return 1;
    g_setenv("XDG_DATA_HOME", folder, TRUE); /* before GLib reads them */
    g_setenv("XDG_DATA_DIRS", folder, TRUE);
    g_setenv("XDG_CONFIG_HOME", folder, TRUE);
    g_unsetenv("SEGMAN_DEVICE");
    CU_basic_set_mode(CU_BRM_NORMAL);
    if (CU_basic_run_tests() == CUE_SUCCESS && CU_get_number_of_tests_run() > 0)
        failures = (int)CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    empty_folder(folder);
    g_free(folder);
    return failures ? 1 : 0;
}
