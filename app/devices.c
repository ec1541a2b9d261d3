/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "cameras.h"
#include "engine.h"
#include "json.h"
#include "log.h"

#include <glib.h>
#include <stdlib.h>

static const char *type_name(enum segman_device_type type)
{
    static const char *const names[] = {"discrete", "integrated", "virtual", "cpu", "other"};

    return type < G_N_ELEMENTS(names) ? names[type] : "other";
}

static char *uuid_text(const struct segman_device_info *device)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < sizeof device->uuid; i++)
        g_string_append_printf(text, "%02x", device->uuid[i]);
    return g_string_free(text, FALSE);
}

static void print_device(const struct segman_device_info *device)
{
    g_autofree char *uuid = uuid_text(device);

    printf("%u = %s (%s) | %s | fp16 %s | cooperative matrix %s | subgroup %u | shared %u KiB | %.1f GiB, %.1f free\n", device->index,
           device->name, device->driver, type_name(device->type), device->fp16 ? "yes" : "no", device->cooperative_matrix ? "yes" : "no",
           device->subgroup_size, device->shared_memory / 1024, (double)device->total_memory / (1 << 30),
           (double)device->free_memory / (1 << 30));
    printf("    uuid %s\n", uuid);
    if (*device->lacks)
        printf("    cannot be used: %s\n", device->lacks);
}

static json_t *device_json(const struct segman_device_info *device)
{
    g_autofree char *uuid = uuid_text(device);

    return json_pack("{si so so ss ss sb sb si si sI sI so}", "index", (int)device->index, "name", app_json_text(device->name), "driver",
                     app_json_text(device->driver), "type", type_name(device->type), "uuid", uuid, "fp16", device->fp16,
                     "cooperative_matrix", device->cooperative_matrix, "subgroup_size", (int)device->subgroup_size, "shared_memory",
                     (int)device->shared_memory, "total_memory", (json_int_t)device->total_memory, "free_memory",
                     (json_int_t)device->free_memory, "lacks", app_json_text(*device->lacks ? device->lacks : NULL));
}

static bool list_devices(json_t *list, bool print, struct segman_error *error)
{
    struct segman_device_info *devices = NULL;
    size_t count = 0;
    bool good = segman_list_devices(&devices, &count, error);

    if (good && !count)
        good = segman_fail(error, SEGMAN_ERROR_NO_DEVICE, "the Vulkan driver offers no device");
    for (size_t i = 0; good && i < count; i++) {
        json_array_append_new(list, device_json(&devices[i]));
        if (print)
            print_device(&devices[i]);
    }
    free(devices);
    return good;
}

/* No camera, or no way to list them, is no failure: the command is about the GPU first. */
static json_t *list_cameras(bool print)
{
    struct pipe_camera *cameras = NULL;
    struct segman_error error = {0};
    size_t count = 0;
    json_t *list;

    pipe_set_log(app_log_segman, NULL);
    if (!pipe_list_cameras(&cameras, &count, &error))
        app_log(SEGMAN_LOG_WARNING, "%s", error.message);
    else if (print)
        app_cameras_print(cameras, count, stdout);
    list = app_cameras_json(cameras, count);
    pipe_free_cameras(cameras, count);
    return list;
}

int app_devices(const struct app_options *options)
{
    struct segman_error error = {0};
    json_t *devices = json_array(), *cameras;
    bool good = list_devices(devices, !options->json, &error);

    if (!good)
        app_engine_explain(&error);
    if (!good && error.status == SEGMAN_ERROR_NO_DEVICE)
        app_log(SEGMAN_LOG_ERROR, "on Debian and Ubuntu the package mesa-vulkan-drivers brings Vulkan drivers for AMD, Intel and the CPU");
    cameras = list_cameras(!options->json);
    if (options->json)
        app_json_result(json_pack("{sO sO}", "devices", devices, "cameras", cameras));
    json_decref(devices);
    json_decref(cameras);
    return good ? APP_EXIT_DONE : APP_EXIT_INIT;
}
