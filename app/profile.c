/* SPDX-License-Identifier: Apache-2.0 */
#include "profile.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* A pass, or a group of passes; ms is the sum over the profiled frames, least_ms what a frame would take at the device's rates. */
struct row {
    char *name;
    uint32_t passes;
    double ms, flops, bytes, least_ms;
};

struct pass {
    struct row row;
    char *op, *shader;
    bool matrices;
};

struct app_profile {
    struct pass *passes;
    size_t count;
    uint32_t frames;
    struct segman_peak peak; /* zeros: not measured */
};

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

struct app_profile *app_profile_create(const struct segman_session *session)
{
    struct app_profile *profile = g_new0(struct app_profile, 1);
    struct segman_pass_info info;

    profile->count = segman_session_pass_count(session);
    profile->passes = g_new0(struct pass, profile->count);
    for (size_t i = 0; i < profile->count && segman_session_pass(session, i, &info); i++) {
        profile->passes[i] = (struct pass){
            .row = {.name = g_strdup(or_dash(info.scope)), .passes = 1, .flops = info.flops, .bytes = info.bytes},
            .op = g_strdup(or_dash(info.op)),
            .shader = g_strdup(or_dash(info.shader)),
            .matrices = info.matrices,
        };
    }
    return profile;
}

void app_profile_destroy(struct app_profile *profile)
{
    if (!profile)
        return;
    for (size_t i = 0; i < profile->count; i++) {
        g_free(profile->passes[i].row.name);
        g_free(profile->passes[i].op);
        g_free(profile->passes[i].shader);
    }
    g_free(profile->passes);
    g_free(profile);
}

void app_profile_add(struct app_profile *profile, const struct segman_session *session)
{
    struct segman_pass_info info;

    for (size_t i = 0; i < profile->count && segman_session_pass(session, i, &info); i++)
        profile->passes[i].row.ms += info.ms;
    profile->frames++;
}

static double seconds_for(double work, double per_second)
{
    return per_second > 0 ? work / per_second : 0;
}

void app_profile_set_peak(struct app_profile *profile, const struct segman_peak *peak)
{
    profile->peak = *peak;
    for (size_t i = 0; i < profile->count; i++) {
        struct pass *pass = &profile->passes[i];
        double arithmetic = seconds_for(pass->row.flops, pass->matrices ? peak->matrix_flops : peak->flops);
        double memory = seconds_for(pass->row.bytes, peak->bytes_per_second);
        pass->row.least_ms = 1e3 * MAX(arithmetic, memory);
    }
}

/* ---- grouping ------------------------------------------------------------------------------------- */

char *app_profile_stage(const char *scope)
{
    int parts = g_str_has_prefix(scope, "backbone.layers.") ? 3 : 2;
    const char *end = scope;

    while (*end && parts) {
        if (*end == '.' && --parts == 0)
            break;
        end++;
    }
    return g_strndup(scope, (gsize)(end - scope));
}

static void add_row(GArray *rows, const char *name, const struct row *pass)
{
    struct row *row = NULL;

    for (guint i = 0; i < rows->len && !row; i++) {
        struct row *candidate = &g_array_index(rows, struct row, i);
        if (strcmp(candidate->name, name) == 0)
            row = candidate;
    }
    if (!row) {
        struct row fresh = {.name = g_strdup(name)};
        g_array_append_val(rows, fresh);
        row = &g_array_index(rows, struct row, rows->len - 1);
    }
    row->passes++;
    row->ms += pass->ms;
    row->flops += pass->flops;
    row->bytes += pass->bytes;
    row->least_ms += pass->least_ms;
}

static void clear_row(gpointer row)
{
    g_free(((struct row *)row)->name);
}

static int slowest_first(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    return (x->ms < y->ms) - (x->ms > y->ms);
}

static GArray *group(const struct app_profile *profile, bool by_op)
{
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct row));

    g_array_set_clear_func(rows, clear_row);
    for (size_t i = 0; i < profile->count; i++) {
        const struct pass *pass = &profile->passes[i];
        g_autofree char *name = by_op ? g_strdup(pass->op) : app_profile_stage(pass->row.name);
        add_row(rows, name, &pass->row);
    }
    if (by_op)
        g_array_sort(rows, slowest_first);
    return rows;
}

static double total_ms(const struct app_profile *profile)
{
    double total = 0;

    for (size_t i = 0; i < profile->count; i++)
        total += profile->passes[i].row.ms;
    return total;
}

/* ---- tables ----------------------------------------------------------------------------------------- */

static int widest(const GArray *rows)
{
    size_t width = 24;

    for (guint i = 0; i < rows->len; i++)
        width = MAX(width, strlen(g_array_index(rows, struct row, i).name));
    return (int)width;
}

static void print_head(FILE *out, const char *title, int width)
{
    fprintf(out, "\n%-*s %6s %10s %7s %10s %9s %9s\n", width, title, "passes", "ms", "share", "GFLOP/s", "GB/s", "roofline");
}

/* How near a row is to the device's rates, in percent; "-" where they were not measured. */
static char *roofline(const struct row *row, uint32_t frames)
{
    return row->least_ms > 0 && row->ms > 0 ? g_strdup_printf("%.1f%%", 100 * row->least_ms * frames / row->ms) : g_strdup("-");
}

static void print_row(FILE *out, const struct row *row, int width, uint32_t frames, double total)
{
    double ms = row->ms / MAX(frames, 1);
    double share = total > 0 ? 100 * row->ms / total : 0;
    double per_second = ms > 0 ? 1e3 / ms / 1e9 : 0; /* of work given in units: G units a second */

    g_autofree char *near = roofline(row, frames);

    fprintf(out, "%-*s %6u %10.3f %6.1f%% %10.1f %9.1f %9s\n", width, row->name, row->passes, ms, share, row->flops * per_second,
            row->bytes * per_second, near);
}

static void print_group(const struct app_profile *profile, const char *title, bool by_op, FILE *out)
{
    g_autoptr(GArray) rows = group(profile, by_op);
    struct row all = {.name = (char *)"all"};
    double total = total_ms(profile);
    int width = widest(rows);

    print_head(out, title, width);
    for (guint i = 0; i < rows->len; i++) {
        const struct row *row = &g_array_index(rows, struct row, i);
        print_row(out, row, width, profile->frames, total);
        all.passes += row->passes;
        all.ms += row->ms;
        all.flops += row->flops;
        all.bytes += row->bytes;
        all.least_ms += row->least_ms;
    }
    print_row(out, &all, width, profile->frames, total);
}

static void print_passes(const struct app_profile *profile, FILE *out)
{
    double total = total_ms(profile);

    print_head(out, "pass", 60);
    for (size_t i = 0; i < profile->count; i++) {
        const struct pass *pass = &profile->passes[i];
        struct row row = pass->row;
        row.name = g_strdup_printf("%s %s", row.name, pass->shader);
        print_row(out, &row, 60, profile->frames, total);
        g_free(row.name);
    }
}

static void print_peak(const struct segman_peak *peak, FILE *out)
{
    fprintf(out, "\nthis device at most: %.0f GFLOP/s", peak->flops / 1e9);
    if (peak->matrix_flops > 0)
        fprintf(out, ", %.0f on matrices", peak->matrix_flops / 1e9);
    fprintf(out, ", %.0f GB/s of memory; a pass that waits and does nothing: %.2f us\n", peak->bytes_per_second / 1e9,
            peak->pass_seconds * 1e6);
}

void app_profile_print(const struct app_profile *profile, bool full, FILE *out)
{
    if (profile->peak.flops > 0)
        print_peak(&profile->peak, out);
    print_group(profile, "by operation", true, out);
    print_group(profile, "by stage", false, out);
    if (full)
        print_passes(profile, out);
}

json_t *app_profile_json(const struct app_profile *profile)
{
    json_t *passes = json_array();

    for (size_t i = 0; i < profile->count; i++) {
        const struct pass *pass = &profile->passes[i];
        json_array_append_new(passes, json_pack("{ss ss ss sf sf sf sf}", "scope", pass->row.name, "op", pass->op, "shader", pass->shader,
                                                "ms", pass->row.ms / MAX(profile->frames, 1), "least_ms", pass->row.least_ms, "flops",
                                                pass->row.flops, "bytes", pass->row.bytes));
    }
    return passes;
}

json_t *app_profile_peak_json(const struct app_profile *profile)
{
    const struct segman_peak *peak = &profile->peak;

    return json_pack("{sf sf sf sf}", "flops", peak->flops, "matrix_flops", peak->matrix_flops, "bytes_per_second", peak->bytes_per_second,
                     "pass_seconds", peak->pass_seconds);
}
