/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "log.h"
#include "paths.h"
#include "patience.h"
#include "signals.h"

#include <glib.h>
#include <string.h>

#define LOSSES_APART (60 * G_USEC_PER_SEC)

void app_engine_explain(const struct segman_error *error)
{
    app_log(SEGMAN_LOG_ERROR, "%s", error->message);
    switch (error->status) {
    case SEGMAN_ERROR_DEVICE_MEMORY:
        app_log(SEGMAN_LOG_ERROR, "a smaller --size, --precision f16 or a smaller model needs less GPU memory");
        break;
    case SEGMAN_ERROR_DEVICE_LOST:
        app_log(SEGMAN_LOG_ERROR, "the GPU stopped responding; what was finished before is kept");
        break;
    default:
        break;
    }
}

const char *app_precision_name(enum segman_precision precision)
{
    static const char *const names[] = {"auto", "f32", "f16"};

    return names[precision];
}

static void report_device(const struct segman_context *context)
{
    const struct segman_device_info *device = segman_context_device(context);

    app_log(SEGMAN_LOG_DEBUG, "device %s (%s)", device->name, device->driver);
    if (device->type == SEGMAN_DEVICE_CPU)
        app_log(SEGMAN_LOG_WARNING, "%s runs on the processor, far from real time: a GPU's Vulkan driver is missing or was not chosen",
                device->name);
}

struct segman_context *app_engine_context(const struct app_options *options, const struct segman_surface_source *surface,
                                          struct segman_error *error)
{
    g_autofree char *cache = app_paths_cache();
    struct segman_context_params params = {
        .device = options->device, .validation = options->validate, .cache_dir = cache, .log = app_log_segman, .surface = surface};
    struct segman_context *context = segman_context_create(&params, error);

    if (context)
        report_device(context);
    return context;
}

static char *name_of(const char *path)
{
    g_autofree char *base = g_filename_display_basename(path); /* in valid UTF-8: it is drawn, too */
    char *dot = strrchr(base, '.');

    if (dot && dot != base)
        *dot = '\0';
    return g_steal_pointer(&base);
}

static bool open_look(struct app_engine *engine, const struct app_options *options, struct segman_error *error)
{
    struct app_look_params params = {
        .own = segman_model_dataset(engine->model),
        .model = engine->name,
        .classes = segman_model_architecture(engine->model)->classes,
        .palette = options->palette,
        .shown = options->classes,
        .opacity = options->opacity,
    };

    return app_look_init(&engine->look, &params, error);
}

static bool init(struct app_engine *engine, const struct app_options *options, bool device, const struct segman_surface_source *surface,
                 struct segman_error *error)
{
    *engine = (struct app_engine){0};
    if (!app_netsize_parse(&engine->size, options->size, (enum app_mode)options->mode, error))
        goto fail;
    engine->path = app_paths_model(options->model, error);
    if (!engine->path)
        goto fail;
    engine->name = name_of(engine->path);
    if (device && !(engine->context = app_engine_context(options, surface, error)))
        goto fail;
    engine->model = segman_model_open(engine->context, engine->path, error);
    if (!engine->model)
        goto fail;
    if (!open_look(engine, options, error))
        goto fail;
    return true;

fail:
    app_engine_finish(engine);
    return false;
}

bool app_engine_init(struct app_engine *engine, const struct app_options *options, struct segman_error *error)
{
    return init(engine, options, true, NULL, error);
}

bool app_engine_init_window(struct app_engine *engine, const struct app_options *options, const struct segman_surface_source *surface,
                            struct segman_error *error)
{
    return init(engine, options, true, surface, error);
}

bool app_engine_init_model(struct app_engine *engine, const struct app_options *options, struct segman_error *error)
{
    return init(engine, options, false, NULL, error);
}

void app_engine_finish(struct app_engine *engine)
{
    app_look_finish(&engine->look);
    segman_model_destroy(engine->model);
    segman_context_destroy(engine->context);
    g_free(engine->path);
    g_free(engine->name);
    *engine = (struct app_engine){0};
}

/* ---- a lost device -------------------------------------------------------------------------------------- */

bool app_engine_lost(struct app_engine *engine, const struct segman_error *error)
{
    int64_t now = g_get_monotonic_time(), before = engine->lost;

    if (error->status != SEGMAN_ERROR_DEVICE_LOST)
        return false;
    engine->lost = now;
    if (before && now - before < LOSSES_APART)
        return false;
    app_log(SEGMAN_LOG_WARNING, "the GPU stopped responding (%s): it is set up again, the frames in flight are lost", error->message);
    return true;
}

bool app_engine_renew(struct app_engine *engine, const struct app_options *options, const struct segman_surface_source *surface,
                      struct segman_error *error)
{
    segman_model_destroy(engine->model);
    segman_context_destroy(engine->context);
    engine->model = NULL;
    engine->context = app_engine_context(options, surface, error);
    if (engine->context)
        engine->model = segman_model_open(engine->context, engine->path, error);
    return engine->model != NULL;
}

/* ---- sessions ------------------------------------------------------------------------------------------- */

static void report_size(const struct app_netsize *rule, const struct app_netsize_result *size)
{
    bool changed = size->width != rule->width || size->height != rule->height;

    if (rule->kind == APP_NETSIZE_EXACT && changed)
        app_log(SEGMAN_LOG_INFO, "network size %ux%u instead of %ux%u: sides are multiples of 32 and the model has a smallest one",
                size->height, size->width, rule->height, rule->width);
}

void app_engine_temporal(const struct app_options *options, struct segman_session_params *params)
{
    params->smooth = (float)options->smooth;
    params->skip_still = options->skip_still >= 0;
    params->still_threshold = params->skip_still ? (float)options->skip_still : 0;
}

static bool tuning(void *user, uint32_t done, uint32_t total)
{
    g_autofree char *line = g_strdup_printf("measuring shaders: layer %u of %u", done + 1, total);
    bool *shown = user;

    *shown = true;
    if (app_log_terminal())
        app_log_status(line);
    else if (done == 0)
        app_log(SEGMAN_LOG_INFO, "measuring shaders for %u layers", total);
    return !app_signals_received();
}

static bool tune(const struct app_engine *engine, const struct segman_session_params *params, struct segman_error *error)
{
    bool shown = false, good = segman_model_tune(engine->model, params, tuning, &shown, error);

    if (shown)
        app_log_status(NULL);
    else if (good)
        app_log(SEGMAN_LOG_INFO, "shaders for this size were measured before");
    return good;
}

struct segman_session *app_engine_session(const struct app_engine *engine, const struct app_options *options,
                                          struct segman_session_params *params, struct segman_error *error)
{
    struct app_netsize_result size;
    struct segman_session *session;

    if (!app_netsize_apply(&engine->size, params->frame.width, params->frame.height, segman_model_min_side(engine->model), &size, error))
        return NULL;
    report_size(&engine->size, &size);
    params->net_width = size.width;
    params->net_height = size.height;
    params->crop = size.crop;
    params->stride = size.stride;
    params->resize = (enum segman_resize)options->resize;
    params->precision = (enum segman_precision)options->precision;
    if (options->tune && !tune(engine, params, error))
        return NULL;
    app_patience_begin(options);
    session = segman_session_create(engine->model, params, error);
    app_patience_end();
    if (session)
        segman_session_set_style(session, &engine->look.style);
    return session;
}
