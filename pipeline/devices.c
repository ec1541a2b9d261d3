/* SPDX-License-Identifier: Apache-2.0 */
/* Which cameras there are: GStreamer's device providers, V4L2 and PipeWire among them, each camera once. */
#include "devices.h"

#include <stdlib.h>
#include <string.h>

static void device_free(gpointer data)
{
    struct pipe_device *device = data;
    g_clear_object(&device->way[0]);
    g_clear_object(&device->way[1]);
    gst_clear_caps(&device->caps);
    g_free(device->name);
    g_free(device->id);
    g_free(device->api);
    g_free(device->path);
    g_free(device);
}

/* ---- what an entry is ------------------------------------------------------------------------ */

static char *property(const GstStructure *properties, const char *const *keys)
{
    for (; properties && *keys; keys++) {
        const char *text = gst_structure_get_string(properties, *keys);
        if (text && *text)
            return g_strdup(text);
    }
    return NULL;
}

static char *path_of(const GstStructure *properties)
{
    static const char *const keys[] = {"api.v4l2.path", "device.path", NULL}, *const object[] = {"object.path", NULL};
    char *path = property(properties, keys);
    char *text = path ? NULL : property(properties, object);

    if (text && g_str_has_prefix(text, "v4l2:/"))
        path = g_strdup(text + 5);
    g_free(text);
    return path;
}

/** udev's name for the device: maker, model, serial number. */
static char *by_id(const char *path)
{
    static const char folder[] = "/dev/v4l/by-id";
    GDir *dir = path ? g_dir_open(folder, 0, NULL) : NULL;
    char *wanted = dir ? realpath(path, NULL) : NULL, *found = NULL;
    const char *name;

    while (dir && !found && (name = g_dir_read_name(dir))) {
        char *link = g_build_filename(folder, name, NULL), *target = realpath(link, NULL);
        if (target && wanted && !strcmp(target, wanted))
            found = g_strdup(name);
        free(target);
        g_free(link);
    }
    if (dir)
        g_dir_close(dir);
    free(wanted);
    return found;
}

static char *stable_id(const GstStructure *properties, const char *path, const char *name)
{
    static const char *const keys[] = {"device.serial", "node.name", "v4l2.device.bus_info", "api.v4l2.cap.bus_info", NULL};
    char *id = by_id(path);
    if (!id)
        id = property(properties, keys);
    return id ? id : g_strdup(path ? path : name);
}

static char *api_of(GstDevice *entry, const GstStructure *properties)
{
    static const char *const keys[] = {"device.api", NULL};
    const char *type = G_OBJECT_TYPE_NAME(entry);
    char *api;
    /* PipeWire's entries say "v4l2" of the device behind them. */
    if (strstr(type, "PipeWire"))
        return g_strdup("pipewire");
    api = property(properties, keys);
    return api ? api : g_strdup("other");
}

static struct pipe_device *device_new(GstDevice *entry)
{
    struct pipe_device *device = g_new0(struct pipe_device, 1);
    GstStructure *properties = gst_device_get_properties(entry);

    device->way[0] = gst_object_ref(entry);
    device->caps = gst_device_get_caps(entry);
    device->name = gst_device_get_display_name(entry);
    device->api = api_of(entry, properties);
    device->path = path_of(properties);
    device->id = stable_id(properties, device->path, device->name);
    if (properties)
        gst_structure_free(properties);
    return device;
}

/* ---- the list -------------------------------------------------------------------------------- */

static int rank(const struct pipe_device *device)
{
    return !strcmp(device->api, "v4l2") ? 0 : 1;
}

static int compare(gconstpointer a, gconstpointer b)
{
    const struct pipe_device *x = *(struct pipe_device *const *)a, *y = *(struct pipe_device *const *)b;
    int order = rank(x) - rank(y);
    if (!order)
        order = pipe_natural_compare(x->path ? x->path : "", y->path ? y->path : "");
    return order ? order : strcmp(x->id, y->id);
}

/** Entries of the same device file become one camera with two ways; equal IDs are told apart by a number. */
static void merge(GPtrArray *devices)
{
    for (guint i = 0; i < devices->len; i++) {
        struct pipe_device *first = g_ptr_array_index(devices, i);
        guint same = 1;
        for (guint j = i + 1; j < devices->len; j++) {
            struct pipe_device *other = g_ptr_array_index(devices, j);
            if (first->path && !g_strcmp0(first->path, other->path)) {
                if (!first->way[1])
                    first->way[1] = gst_object_ref(other->way[0]);
                g_ptr_array_remove_index(devices, j--);
            } else if (!strcmp(first->id, other->id)) {
                char *id = g_strdup_printf("%s#%u", other->id, ++same);
                g_free(other->id);
                other->id = id;
            }
        }
    }
}

GPtrArray *pipe_devices_list(void)
{
    GPtrArray *devices = g_ptr_array_new_with_free_func(device_free);
    GstDeviceMonitor *monitor = gst_device_monitor_new();
    GList *entries;

    /* Else PipeWire's provider hides V4L2's, whose way is the shorter one. */
    gst_device_monitor_set_show_all_devices(monitor, TRUE);
    gst_device_monitor_add_filter(monitor, "Video/Source", NULL);
    entries = gst_device_monitor_get_devices(monitor);
    for (GList *i = entries; i; i = i->next)
        g_ptr_array_add(devices, device_new(i->data));
    g_list_free_full(entries, gst_object_unref);
    gst_object_unref(monitor);
    g_ptr_array_sort(devices, compare);
    merge(devices);
    return devices;
}

static void append_names(GString *text, GPtrArray *devices, const struct pipe_device *but)
{
    const char *separator = "";
    for (guint i = 0; i < devices->len; i++) {
        const struct pipe_device *device = g_ptr_array_index(devices, i);
        if (device == but)
            continue;
        g_string_append_printf(text, "%s%s (%s)", separator, device->name, device->path ? device->path : device->id);
        separator = ", ";
    }
}

char *pipe_devices_others(GPtrArray *devices, const struct pipe_device *device)
{
    GString *text = g_string_new("other cameras: ");
    gsize head = text->len;
    append_names(text, devices, device);
    if (text->len == head)
        g_string_assign(text, "there is no other camera");
    return g_string_free(text, FALSE);
}

/* ---- finding --------------------------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    char *x = realpath(a, NULL), *y = realpath(b, NULL);
    bool same = x && y && !strcmp(x, y);
    free(x);
    free(y);
    return same || !strcmp(a, b);
}

static bool is_exactly(const struct pipe_device *device, guint number, const char *text)
{
    char index[16];
    g_snprintf(index, sizeof index, "%u", number);
    return !strcmp(device->id, text) || !strcmp(device->name, text) || !strcmp(index, text) ||
           (*text == '/' && device->path && same_file(device->path, text));
}

static bool contains(const char *text, const char *part)
{
    char *a = g_utf8_casefold(text, -1), *b = g_utf8_casefold(part, -1);
    bool found = strstr(a, b) != NULL;
    g_free(a);
    g_free(b);
    return found;
}

/** A device file that no provider lists: V4L2's source is asked all the same. */
static struct pipe_device *bare_device(GPtrArray *devices, const char *path)
{
    struct pipe_device *device = g_new0(struct pipe_device, 1);
    device->name = g_strdup(path);
    device->path = g_strdup(path);
    device->id = stable_id(NULL, path, path);
    device->api = g_strdup("v4l2");
    g_ptr_array_add(devices, device);
    return device;
}

static bool fail_absent(GPtrArray *devices, const char *text, struct segman_error *error)
{
    GString *list = g_string_new(NULL);
    append_names(list, devices, NULL);
    if (!devices->len)
        segman_fail(error, SEGMAN_ERROR_IO, "%s%s%s", *text ? "there is no camera " : "no camera was found", text,
                    *text ? ", nor any other" : " (a network camera is given by its rtsp:// or http:// address)");
    else
        segman_fail(error, SEGMAN_ERROR_IO, "there is no camera %s; there are: %s", text, list->str);
    g_string_free(list, TRUE);
    return false;
}

struct pipe_device *pipe_devices_find(GPtrArray *devices, const char *id, const char *text, struct segman_error *error)
{
    struct pipe_device *found = NULL;
    const char *wanted = id ? id : text;

    if (!id && !*text && devices->len)
        return g_ptr_array_index(devices, 0);
    for (guint i = 0; *wanted && i < devices->len; i++)
        if (is_exactly(g_ptr_array_index(devices, i), i, wanted))
            return g_ptr_array_index(devices, i);
    for (guint i = 0; !id && *text && i < devices->len; i++) {
        struct pipe_device *device = g_ptr_array_index(devices, i);
        if (!contains(device->name, text) && !contains(device->id, text))
            continue;
        if (found) {
            segman_fail(error, SEGMAN_ERROR_ARGUMENT, "several cameras are called %s: %s (%s), %s (%s)", text, found->name, found->id,
                        device->name, device->id);
            return NULL;
        }
        found = device;
    }
    if (!found && *wanted == '/' && g_file_test(wanted, G_FILE_TEST_EXISTS))
        found = bare_device(devices, wanted);
    if (!found)
        fail_absent(devices, wanted, error);
    return found;
}

/* ---- the public list ------------------------------------------------------------------------- */

bool pipe_list_cameras(struct pipe_camera **cameras, size_t *count, struct segman_error *error)
{
    GPtrArray *devices;

    *cameras = NULL;
    *count = 0;
    if (!pipe_init(error))
        return false;
    devices = pipe_devices_list();
    *count = devices->len;
    *cameras = g_new0(struct pipe_camera, devices->len + 1);
    for (guint i = 0; i < devices->len; i++) {
        const struct pipe_device *device = g_ptr_array_index(devices, i);
        struct pipe_camera *camera = &(*cameras)[i];
        g_strlcpy(camera->name, device->name, sizeof camera->name);
        g_strlcpy(camera->id, device->id, sizeof camera->id);
        g_strlcpy(camera->path, device->path ? device->path : "", sizeof camera->path);
        g_strlcpy(camera->api, device->api, sizeof camera->api);
        camera->formats = pipe_modes_list(device->caps, &camera->n_formats);
    }
    g_ptr_array_unref(devices);
    return true;
}

void pipe_free_cameras(struct pipe_camera *cameras, size_t count)
{
    for (size_t i = 0; cameras && i < count; i++)
        g_free(cameras[i].formats);
    g_free(cameras);
}
