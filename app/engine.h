/* SPDX-License-Identifier: Apache-2.0 */
/**
 * engine.h: the device and the model that the options ask for, and how the model's classes look.
 */
#ifndef APP_ENGINE_H
#define APP_ENGINE_H

#include "look.h"
#include "netsize.h"

struct app_engine {
    char *path; /**< the model's */
    char *name; /**< without folder and extension */
    struct segman_context *context;
    struct segman_model *model;
    struct app_look look;
    struct app_netsize size;
    int64_t lost; /**< when the device was last lost, microseconds; 0: never */
};

/** Opens all of it; warns when only a CPU driver is there. */
bool app_engine_init(struct app_engine *engine, const struct app_options *options, struct segman_error *error);
/** The same for a window to present to. */
bool app_engine_init_window(struct app_engine *engine, const struct app_options *options, const struct segman_surface_source *surface,
                            struct segman_error *error);
/** Opens the model without a device: no session can be made of it. */
bool app_engine_init_model(struct app_engine *engine, const struct app_options *options, struct segman_error *error);
void app_engine_finish(struct app_engine *engine);

/**
 * After an error: whether the device was lost and may be set up again, which is said then. A second loss within a minute
 * is no accident: false.
 */
bool app_engine_lost(struct app_engine *engine, const struct segman_error *error);
/** Opens device and model anew after a loss; all sessions and presenters must be gone. The look stays. */
bool app_engine_renew(struct app_engine *engine, const struct app_options *options, const struct segman_surface_source *surface,
                      struct segman_error *error);

/** Creates a context as the options ask; NULL and a message that helps where there is no driver. */
struct segman_context *app_engine_context(const struct app_options *options, const struct segman_surface_source *surface,
                                          struct segman_error *error);

/**
 * A session for frames of a format, with the engine's size rule and the options' resize and precision.
 * params carries what differs from use to use; its frame, net, crop, resize and precision fields are filled here.
 */
struct segman_session *app_engine_session(const struct app_engine *engine, const struct app_options *options,
                                          struct segman_session_params *params, struct segman_error *error);

/** Fills what the options say of smoothing and skipping; not for pictures that have nothing to do with each other. */
void app_engine_temporal(const struct app_options *options, struct segman_session_params *params);

/** Logs why a session, model or frame failed and what helps against it. */
void app_engine_explain(const struct segman_error *error);

const char *app_precision_name(enum segman_precision precision);

#endif
