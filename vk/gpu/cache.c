/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a device on disk, the pipeline cache among them: keyed by device, driver and program version; a bad file is a miss, never an
 * error. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define CACHE_LIMIT (256u << 20) /* a larger file is not ours */

static bool make_folders(const char *path)
{
    char *p = strdup(path);
    bool ok = p != NULL;
    for (char *s = p ? strchr(p + 1, '/') : NULL; ok && s; s = strchr(s + 1, '/')) {
        *s = 0;
        ok = !mkdir(p, 0755) || errno == EEXIST;
        *s = '/';
    }
    if (ok)
        ok = !mkdir(p, 0755) || errno == EEXIST;
    free(p);
    return ok;
}

static char *cache_name(const struct gpu *gpu, const char *dir, const char *what, const char *suffix)
{
    VkPhysicalDeviceProperties p;
    char uuid[2 * VK_UUID_SIZE + 1], *path = NULL;
    vkGetPhysicalDeviceProperties(gpu->physical, &p);
    for (uint32_t i = 0; i < VK_UUID_SIZE; i++)
        snprintf(uuid + 2 * i, 3, "%02x", p.pipelineCacheUUID[i]);
    if (asprintf(&path, "%s/%s-%08x-%08x-%08x-%s-" SEGMAN_VERSION ".%s", dir, what, p.vendorID, p.deviceID, p.driverVersion, uuid, suffix) <
        0)
        return NULL;
    return path;
}

static void *read_file(const char *path, size_t *size)
{
    struct stat st;
    void *data = NULL;
    FILE *f = fopen(path, "rb");
    *size = 0;
    if (!f)
        return NULL;
    if (!fstat(fileno(f), &st) && st.st_size > 0 && (uint64_t)st.st_size <= CACHE_LIMIT && (data = malloc((size_t)st.st_size)))
        *size = fread(data, 1, (size_t)st.st_size, f);
    fclose(f);
    return data;
}

/* The driver checks its own header, but some trust the file's length: check what can be checked first. */
static bool header_fits(const struct gpu *gpu, const void *data, size_t size)
{
    VkPipelineCacheHeaderVersionOne h;
    VkPhysicalDeviceProperties p;
    if (size < sizeof(h))
        return false;
    memcpy(&h, data, sizeof(h));
    vkGetPhysicalDeviceProperties(gpu->physical, &p);
    return h.headerSize >= sizeof(h) && h.headerSize <= size && h.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           h.vendorID == p.vendorID && h.deviceID == p.deviceID && !memcmp(h.pipelineCacheUUID, p.pipelineCacheUUID, VK_UUID_SIZE);
}

void gpu_cache_load(struct gpu *gpu, const char *dir)
{
    void *data = NULL;
    size_t size = 0;
    if (dir && make_folders(dir)) {
        gpu->tuning_path = cache_name(gpu, dir, "tuning", "json");
        gpu->cache_path = cache_name(gpu, dir, "pipelines", "bin");
        if (gpu->caps.cpu && (gpu->ahead_path = cache_name(gpu, dir, "ahead", "bin"))) {
            gpu->ahead = read_file(gpu->ahead_path, &size);
            gpu->n_ahead = size / sizeof(*gpu->ahead);
        }
        data = gpu->cache_path ? read_file(gpu->cache_path, &size) : NULL;
    }
    bool fits = data && header_fits(gpu, data, size);
    VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, .initialDataSize = fits ? size : 0, .pInitialData = fits ? data : NULL};
    if (vkCreatePipelineCache(gpu->device, &info, NULL, &gpu->cache) < 0) {
        info.initialDataSize = 0;
        if (vkCreatePipelineCache(gpu->device, &info, NULL, &gpu->cache) < 0)
            gpu->cache = VK_NULL_HANDLE;
    }
    free(data);
}

bool gpu_file_write(const char *path, const void *data, size_t size)
{
    char *part = NULL;
    bool ok = false;
    if (asprintf(&part, "%s.%ld.part", path, (long)getpid()) < 0)
        return false;
    FILE *f = fopen(part, "wb");
    if (f) {
        ok = fwrite(data, 1, size, f) == size;
        ok = !fclose(f) && ok;
        ok = ok && !rename(part, path);
        if (!ok)
            unlink(part);
    }
    free(part);
    return ok;
}

const char *gpu_tuning_path(const struct gpu *gpu)
{
    return gpu->tuning_path;
}

void gpu_cache_save(struct gpu *gpu)
{
    size_t size = 0;
    void *data = NULL;
    if (!gpu->cache)
        return;
    if (gpu->cache_path && gpu->pipelines && vkGetPipelineCacheData(gpu->device, gpu->cache, &size, NULL) >= 0 && size &&
        (data = malloc(size)) && vkGetPipelineCacheData(gpu->device, gpu->cache, &size, data) == VK_SUCCESS &&
        !gpu_file_write(gpu->cache_path, data, size))
        gpu_log(gpu, SEGMAN_LOG_INFO, "The pipeline cache could not be saved to %s", gpu->cache_path);
    free(data);
    vkDestroyPipelineCache(gpu->device, gpu->cache, NULL);
    gpu->cache = VK_NULL_HANDLE;
}
