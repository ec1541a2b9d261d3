/* SPDX-License-Identifier: Apache-2.0 */
/* CPU drivers: new pipelines are compiled ahead once, and a file says so; a damaged file is a miss. Other devices have no such file. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define KEY 8 /* bytes of a pipeline in the file */

static char folder[200], path[512];

/* Finds the file; returns its size, -1 without one. */
static long file_size(void)
{
    DIR *d = opendir(folder);
    struct stat st;
    path[0] = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        if (!strncmp(e->d_name, "ahead-", 6))
            snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
    if (d)
        closedir(d);
    return path[0] && !stat(path, &st) ? (long)st.st_size : -1;
}

/* Makes a program of so many pipelines or more, with the folder as cache; returns how many were compiled. */
static uint32_t start(void)
{
    struct segman_error error;
    struct gpu *gpu = gpu_create(&(struct segman_context_params){.device = gpu_info(harness_gpu())->name, .cache_dir = folder}, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(gpu);
    struct net *n = harness_net();
    tensor x = net_conv(n, "a", net_input(n, 8, 12, 12), &(struct net_conv){.out = 12, .kernel = 1});
    net_output(n, net_pool(n, net_conv(n, "b", x, &(struct net_conv){.out = 8, .kernel = 3, .pad = 1})));
    struct net_program *p = net_program_create(gpu, n, &(struct net_program_params){0}, &error);
    CU_ASSERT_PTR_NOT_NULL(p);
    uint32_t compiled = gpu_pipelines_count(gpu);
    net_program_destroy(p);
    net_destroy(n);
    gpu_destroy(gpu);
    return compiled;
}

static void test_once(void)
{
    uint32_t compiled = start();
    long size = file_size();
    CU_ASSERT(compiled > 1);
    if (!gpu_caps(harness_gpu())->cpu || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        CU_ASSERT_EQUAL(size, -1);
        return;
    }
    CU_ASSERT_EQUAL(size, (long)compiled * KEY);
    start();
    CU_ASSERT_EQUAL(file_size(), size);
    CU_ASSERT_FATAL(!truncate(path, size - KEY - 3)); /* less than two are there: they are done again */
    start();
    CU_ASSERT_EQUAL(file_size(), size);
}

static void clean(void)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {{"once", test_once}, CU_TEST_INFO_NULL};
    const char *where = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/segman-ahead-XXXXXX", where ? where : P_tmpdir);
    if (!mkdtemp(folder))
        return 1;
    int result = harness_main(argc, argv, "ahead", tests);
    clean();
    return result;
}
