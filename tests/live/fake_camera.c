/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_camera.h"

#include <string.h>

static GMutex lock;
static struct fake_camera *cameras; /* guarded */
static GList *running;              /* of FakeSource, guarded */
static int opened;

/* ---- the source: a bin that is busy, or fails, when its camera says so ------------------------------- */

typedef struct {
    GstBin parent;
    struct fake_camera *camera;
    bool shared;
} FakeSource;
typedef GstBinClass FakeSourceClass;
GType fake_source_get_type(void);
G_DEFINE_TYPE(FakeSource, fake_source, GST_TYPE_BIN)

static GstStateChangeReturn fake_source_change_state(GstElement *element, GstStateChange change)
{
    FakeSource *self = (FakeSource *)element;
    bool busy, plugged;

    g_mutex_lock(&lock);
    busy = self->camera->busy && !self->shared;
    plugged = self->camera->plugged;
    g_mutex_unlock(&lock);
    if (change == GST_STATE_CHANGE_READY_TO_PAUSED && (busy || !plugged)) {
        if (busy)
            GST_ELEMENT_ERROR(element, RESOURCE, BUSY, ("Device is busy"), (NULL));
        else
            GST_ELEMENT_ERROR(element, RESOURCE, NOT_FOUND, ("No such device"), (NULL));
        return GST_STATE_CHANGE_FAILURE;
    }
    return GST_ELEMENT_CLASS(fake_source_parent_class)->change_state(element, change);
}

static void fake_source_finalize(GObject *object)
{
    g_mutex_lock(&lock);
    running = g_list_remove(running, object);
    g_mutex_unlock(&lock);
    G_OBJECT_CLASS(fake_source_parent_class)->finalize(object);
}

static void fake_source_class_init(FakeSourceClass *klass)
{
    GST_ELEMENT_CLASS(klass)->change_state = fake_source_change_state;
    G_OBJECT_CLASS(klass)->finalize = fake_source_finalize;
    gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Fake camera", "Source/Video", "A test's camera", "segman");
}

static void fake_source_init(FakeSource *self)
{
    GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
}

static GstPadProbeReturn on_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    FakeSource *self = user;
    bool quiet;
    (void)pad, (void)info;
    g_mutex_lock(&lock);
    quiet = self->camera->mute || !self->camera->plugged;
    g_mutex_unlock(&lock);
    return quiet ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static GstElement *make_source(struct fake_camera *camera, bool shared)
{
    FakeSource *self = g_object_new(fake_source_get_type(), NULL);
    GstElement *source = gst_element_factory_make("videotestsrc", NULL), *last = source;
    GstPad *pad, *ghost;

    self->camera = camera;
    self->shared = shared;
    g_object_set(source, "is-live", TRUE, NULL);
    gst_bin_add(GST_BIN(self), source);
    if (camera->encoder) {
        last = gst_element_factory_make(camera->encoder, NULL);
        gst_bin_add(GST_BIN(self), last);
        gst_element_link(source, last);
    }
    pad = gst_element_get_static_pad(last, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, self, NULL);
    ghost = gst_ghost_pad_new("src", pad);
    gst_element_add_pad(GST_ELEMENT(self), ghost);
    gst_object_unref(pad);
    g_mutex_lock(&lock);
    running = g_list_prepend(running, self);
    opened++;
    g_mutex_unlock(&lock);
    return GST_ELEMENT(self);
}

/* ---- the device, by either of two servers ----------------------------------------------------------- */

typedef struct {
    GstDevice parent;
    struct fake_camera *camera;
    bool shared;
} FakeDevice;
typedef GstDeviceClass FakeDeviceClass;
GType fake_device_get_type(void);
G_DEFINE_TYPE(FakeDevice, fake_device, GST_TYPE_DEVICE)
typedef FakeDevice FakePipeWireDevice; /* the type's name is what tells it */
typedef FakeDeviceClass FakePipeWireDeviceClass;
GType fake_pipewire_device_get_type(void);
G_DEFINE_TYPE(FakePipeWireDevice, fake_pipewire_device, fake_device_get_type())

static GstElement *fake_device_create_element(GstDevice *device, const char *name)
{
    FakeDevice *self = (FakeDevice *)device;
    (void)name;
    return make_source(self->camera, self->shared);
}

static void fake_device_class_init(FakeDeviceClass *klass)
{
    GST_DEVICE_CLASS(klass)->create_element = fake_device_create_element;
}

static void fake_device_init(FakeDevice *self)
{
    (void)self;
}

static void fake_pipewire_device_class_init(FakePipeWireDeviceClass *klass)
{
    (void)klass;
}

static void fake_pipewire_device_init(FakePipeWireDevice *self)
{
    self->shared = true;
}

static GstDevice *make_device(struct fake_camera *camera, bool shared)
{
    GstCaps *caps = gst_caps_from_string(camera->caps);
    GstStructure *properties = gst_structure_new("properties", "device.serial", G_TYPE_STRING, camera->serial, NULL);
    FakeDevice *device;

    if (camera->path)
        gst_structure_set(properties, "device.path", G_TYPE_STRING, camera->path, NULL);
    if (!shared)
        gst_structure_set(properties, "device.api", G_TYPE_STRING, "fake", NULL);
    device = g_object_new(shared ? fake_pipewire_device_get_type() : fake_device_get_type(), "display-name", camera->name, "caps", caps,
                          "device-class", "Video/Source", "properties", properties, NULL);
    device->camera = camera;
    gst_structure_free(properties);
    gst_caps_unref(caps);
    return GST_DEVICE(device);
}

/* ---- the provider ------------------------------------------------------------------------------------ */

typedef GstDeviceProvider FakeProvider;
typedef GstDeviceProviderClass FakeProviderClass;
GType fake_provider_get_type(void);
G_DEFINE_TYPE(FakeProvider, fake_provider, GST_TYPE_DEVICE_PROVIDER)

static GList *fake_provider_probe(GstDeviceProvider *provider)
{
    GList *list = NULL;
    (void)provider;
    g_mutex_lock(&lock);
    for (struct fake_camera *camera = cameras; camera && camera->name; camera++) {
        if (!camera->plugged)
            continue;
        list = g_list_append(list, gst_object_ref_sink(make_device(camera, false)));
        if (camera->shared)
            list = g_list_append(list, gst_object_ref_sink(make_device(camera, true)));
    }
    g_mutex_unlock(&lock);
    return list;
}

static void fake_provider_class_init(FakeProviderClass *klass)
{
    GST_DEVICE_PROVIDER_CLASS(klass)->probe = fake_provider_probe;
    gst_device_provider_class_set_static_metadata(GST_DEVICE_PROVIDER_CLASS(klass), "Fake cameras", "Source/Video", "A test's cameras",
                                                  "segman");
}

static void fake_provider_init(FakeProvider *self)
{
    (void)self;
}

/* ---- the test's side --------------------------------------------------------------------------------- */

void fake_cameras(struct fake_camera *list)
{
    static bool registered;
    if (!registered)
        gst_device_provider_register(NULL, "fakecameras", GST_RANK_PRIMARY, fake_provider_get_type());
    registered = true;
    g_mutex_lock(&lock);
    cameras = list;
    opened = 0;
    g_mutex_unlock(&lock);
}

void fake_camera_unplug(struct fake_camera *camera)
{
    GList *hit = NULL;
    g_mutex_lock(&lock);
    camera->plugged = false;
    for (GList *i = running; i; i = i->next)
        if (((FakeSource *)i->data)->camera == camera)
            hit = g_list_prepend(hit, gst_object_ref(i->data));
    g_mutex_unlock(&lock);
    for (GList *i = hit; i; i = i->next)
        GST_ELEMENT_ERROR(i->data, RESOURCE, READ, ("Could not read from resource."), ("the test unplugged it"));
    g_list_free_full(hit, gst_object_unref);
}

void fake_camera_plug(struct fake_camera *camera, const char *path)
{
    g_mutex_lock(&lock);
    camera->path = path;
    camera->plugged = true;
    g_mutex_unlock(&lock);
}

void fake_camera_mute(struct fake_camera *camera, bool mute)
{
    g_mutex_lock(&lock);
    camera->mute = mute;
    g_mutex_unlock(&lock);
}

int fake_camera_opened(void)
{
    int count;
    g_mutex_lock(&lock);
    count = opened;
    g_mutex_unlock(&lock);
    return count;
}
