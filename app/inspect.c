/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "engine.h"
#include "json.h"

#include <glib.h>
#include <inttypes.h>

#define PLAN_SIDE 512

static void print_stage_row(const char *title, const uint32_t value[4])
{
    printf("  %-18s %6u %6u %6u %6u\n", title, value[0], value[1], value[2], value[3]);
}

static void print_architecture(const struct app_engine *engine)
{
    const struct segman_architecture *a = segman_model_architecture(engine->model);
    g_autofree char *variant = g_ascii_strup(a->variant, -1);
    uint64_t tensors = 0, parameters = 0;

    segman_model_count(engine->model, &tensors, &parameters);
    printf("%s: SegMAN-%s, %u classes\n", engine->path, variant, a->classes);
    printf("  %-18s %.2f million in %" PRIu64 " tensors\n", "parameters", (double)parameters / 1e6, tensors);
    printf("  %-18s %6u %6u %6u %6u\n", "stage", 1, 2, 3, 4);
    print_stage_row("channels", a->dims);
    print_stage_row("blocks", a->depths);
    print_stage_row("heads", a->heads);
    print_stage_row("window", a->windows);
    print_stage_row("feed-forward", a->hidden);
    printf("  %-18s %u channels, projections of %u\n", "decoder", a->decoder_channels, a->decoder_proj);
    printf("  %-18s %s\n", "layer scale", a->layer_scale ? "yes" : "no");
    printf("  %-18s %u x %u tokens, of %u pixels\n", "global bias", a->image_side, a->image_side, a->image_side * 32);
    printf("  %-18s %u pixels\n", "smallest side", segman_model_min_side(engine->model));
}

static void print_classes(const struct app_engine *engine)
{
    const struct app_look *look = &engine->look;

    printf("  classes%s\n", look->dataset ? " (by their number; the checkpoint names none)" : "");
    for (uint32_t i = 0; i < look->classes; i++) {
        const uint8_t *color = look->style.palette[i];
        printf("    %3u  #%02x%02x%02x  %s\n", i, color[0], color[1], color[2], look->names[i]);
    }
}

static void print_tensors(const struct app_engine *engine)
{
    struct segman_tensor_info info;

    puts("  tensors");
    for (size_t i = 0; segman_model_tensor(engine->model, i, &info); i++) {
        printf("    %-72s %-5s", info.name, info.dtype);
        for (uint32_t d = 0; d < info.rank; d++)
            printf("%s%" PRIu64, d ? " x " : " ", info.shape[d]);
        putchar('\n');
    }
}

static json_t *four(const uint32_t value[4])
{
    return json_pack("[iiii]", (int)value[0], (int)value[1], (int)value[2], (int)value[3]);
}

static json_t *classes_json(const struct app_look *look)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < look->classes; i++) {
        const uint8_t *color = look->style.palette[i];
        json_array_append_new(list, json_pack("{so s[iii]}", "name", app_json_text(look->names[i]), "color", color[0], color[1], color[2]));
    }
    return list;
}

static json_t *tensors_json(const struct app_engine *engine)
{
    json_t *list = json_array();
    struct segman_tensor_info info;

    for (size_t i = 0; segman_model_tensor(engine->model, i, &info); i++) {
        json_t *shape = json_array();
        for (uint32_t d = 0; d < info.rank; d++)
            json_array_append_new(shape, json_integer((json_int_t)info.shape[d]));
        json_array_append_new(
            list, json_pack("{so so so}", "name", app_json_text(info.name), "dtype", app_json_text(info.dtype), "shape", shape));
    }
    return list;
}

static void print_json(const struct app_engine *engine, bool tensors)
{
    const struct segman_architecture *a = segman_model_architecture(engine->model);
    uint64_t count = 0, parameters = 0;
    json_t *root;

    segman_model_count(engine->model, &count, &parameters);
    root =
        json_pack("{so so sI sI so so so so so sb si si si si so}", "path", app_json_text(engine->path), "variant",
                  app_json_text(a->variant), "parameters", (json_int_t)parameters, "tensor_count", (json_int_t)count, "dims", four(a->dims),
                  "depths", four(a->depths), "heads", four(a->heads), "windows", four(a->windows), "hidden", four(a->hidden), "layer_scale",
                  a->layer_scale, "decoder_channels", (int)a->decoder_channels, "decoder_proj", (int)a->decoder_proj, "global_bias_side",
                  (int)a->image_side, "min_side", (int)segman_model_min_side(engine->model), "classes", classes_json(&engine->look));
    if (tensors)
        json_object_set_new(root, "tensors", tensors_json(engine));
    app_json_result(root);
}

static bool print_plan(const struct app_engine *engine, const struct app_options *options, struct segman_error *error)
{
    bool exact = engine->size.kind == APP_NETSIZE_EXACT;
    uint32_t side = engine->size.kind == APP_NETSIZE_SHORT ? engine->size.side : PLAN_SIDE;
    struct segman_session_params params = {
        .frame = {.format = SEGMAN_FORMAT_RGBA, .width = exact ? engine->size.width : side, .height = exact ? engine->size.height : side},
        .slots = 1,
    };
    struct segman_session *session = app_engine_session(engine, options, &params, error);

    if (!session)
        return false;
    printf("  plan for %u x %u (height x width), %s\n", params.net_height, params.net_width,
           app_precision_name(segman_session_precision(session)));
    segman_session_print_plan(session, stdout);
    segman_session_destroy(session);
    return true;
}

int app_inspect(const struct app_options *options)
{
    struct app_engine engine;
    struct segman_error error = {0};
    bool good = options->plan ? app_engine_init(&engine, options, &error) : app_engine_init_model(&engine, options, &error);

    if (good && options->json) {
        print_json(&engine, options->tensors);
    } else if (good) {
        print_architecture(&engine);
        print_classes(&engine);
        if (options->tensors)
            print_tensors(&engine);
        good = !options->plan || print_plan(&engine, options, &error);
    }
    if (!good)
        app_engine_explain(&error);
    app_engine_finish(&engine);
    return good ? APP_EXIT_DONE : APP_EXIT_INIT;
}
