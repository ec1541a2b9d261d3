/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From file to file through the real program: test_e2e generated|clips|bad SEGMAN ASSETS CLIPS CACHE
 * Exit code 77: skipped, for want of a Vulkan device or of the clips.
 */
#include <CUnit/Basic.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"

static void remove_all(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
            remove_all(path);
        else
            g_remove(path);
    }
    if (dir)
        g_dir_close(dir);
    g_rmdir(folder);
}

static gboolean has_device(void)
{
    struct outcome run = program_run("devices", "--json", NULL);
    gboolean found = run.code == 0 && strstr(run.out, "\"name\"");

    outcome_clear(&run);
    return found;
}

static int run_suite(const char *name)
{
    unsigned failed;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    if (strcmp(name, "generated") == 0)
        suite_generated();
    else if (strcmp(name, "clips") == 0)
        suite_clips();
    else
        suite_bad();
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    int code = 77;

    if (argc != 6)
        return 2;
    gst_init(NULL, NULL);
    program.path = g_canonicalize_filename(argv[2], NULL);
    program.assets = g_canonicalize_filename(argv[3], NULL);
    program.clips = g_canonicalize_filename(argv[4], NULL);
    program.folder = g_dir_make_tmp("segman-e2e-XXXXXX", NULL);
    g_autofree char *cache = g_canonicalize_filename(argv[5], NULL);
    g_autofree char *config = g_build_filename(program.folder, ".config", NULL);
    g_setenv("XDG_CACHE_HOME", cache, TRUE); /* the shaders are compiled once for all runs */
    g_setenv("XDG_CONFIG_HOME", config, TRUE);
    g_setenv("NO_COLOR", "1", TRUE);
    if (!has_device())
        puts("no Vulkan device: skipped");
    else if (strcmp(argv[1], "clips") == 0 && !g_file_test(program.clips, G_FILE_TEST_IS_DIR))
        printf("%s does not exist: skipped (meson option clips)\n", program.clips);
    else
        code = run_suite(argv[1]);
    remove_all(program.folder);
    g_free(program.path);
    g_free(program.assets);
    g_free(program.clips);
    g_free(program.folder);
    return code;
}
