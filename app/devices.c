/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

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

int app_devices(const struct app_options *options)
{
    struct segman_device_info *devices = NULL;
    struct segman_error error = {0};
    json_t *list = json_array();
    bool good;
    size_t count = 0;

    good = segman_list_devices(&devices, &count, &error);
    if (good && !count)
        good = segman_fail(&error, SEGMAN_ERROR_NO_DEVICE, "the Vulkan driver offers no device");
    if (!good)
        app_engine_explain(&error);
    if (!good && error.status == SEGMAN_ERROR_NO_DEVICE)
        app_log(SEGMAN_LOG_ERROR, "on Debian and Ubuntu the package mesa-vulkan-drivers brings Vulkan drivers for AMD, Intel and the CPU");
    for (size_t i = 0; good && i < count; i++) {
        if (options->json)
            json_array_append_new(list, device_json(&devices[i]));
        else
            print_device(&devices[i]);
    }
    if (options->json)
        app_json_result(json_incref(list));
    json_decref(list);
    free(devices);
    return good ? APP_EXIT_DONE : APP_EXIT_INIT;
}
