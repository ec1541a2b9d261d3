/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct program program;

static char **words_of(const char *first, va_list rest)
{
    GPtrArray *words = g_ptr_array_new();
    gboolean sized = FALSE, plain = strcmp(first, "devices") == 0;

    g_ptr_array_add(words, g_strdup(program.path));
    for (const char *word = first; word; word = va_arg(rest, const char *)) {
        g_ptr_array_add(words, g_strdup(word));
        sized |= strcmp(word, "--size") == 0;
    }
    if (!plain)
        g_ptr_array_add(words, g_strdup("--no-progress"));
    if (!plain && !sized) {
        g_ptr_array_add(words, g_strdup("--size"));
        g_ptr_array_add(words, g_strdup("224x224"));
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

static void limit_files(gpointer bytes)
{
    struct rlimit limit = {*(guint64 *)bytes, *(guint64 *)bytes};

    signal(SIGXFSZ, SIG_IGN); /* a write fails then, as it does on a full disk */
    setrlimit(RLIMIT_FSIZE, &limit);
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void show(char **words, const struct outcome *outcome)
{
    g_autofree char *line = g_strjoinv(" ", words + 1);

    printf("\n  segman %s: exit %d\n%s", line, outcome->code, outcome->err);
    fflush(stdout);
}

static struct outcome run(char **words, guint64 *limit)
{
    struct outcome outcome = {-1, NULL, NULL};
    int status = 0;

    if (g_spawn_sync(program.folder, words, NULL, G_SPAWN_DEFAULT, limit ? limit_files : NULL, limit, &outcome.out, &outcome.err, &status,
                     NULL))
        outcome.code = exit_code(status);
    show(words, &outcome);
    return outcome;
}

struct outcome program_run(const char *argument, ...)
{
    va_list rest;
    va_start(rest, argument);
    g_auto(GStrv) words = words_of(argument, rest);
    va_end(rest);

    return run(words, NULL);
}

struct outcome program_run_limited(guint64 bytes, const char *argument, ...)
{
    va_list rest;
    va_start(rest, argument);
    g_auto(GStrv) words = words_of(argument, rest);
    va_end(rest);

    return run(words, &bytes);
}

/* Reads until the end, and sends the signal once, when the marker was seen. */
static char *read_until_end(int fd, GPid pid, const char *marker)
{
    GString *text = g_string_new(NULL);
    gboolean sent = FALSE;
    char buffer[4096];
    ssize_t n;

    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        g_string_append_len(text, buffer, n);
        if (!sent && strstr(text->str, marker)) {
            kill(pid, SIGINT);
            sent = TRUE;
        }
    }
    return g_string_free(text, FALSE);
}

struct outcome program_interrupt(const char *marker, const char *argument, ...)
{
    va_list rest;
    va_start(rest, argument);
    g_auto(GStrv) words = words_of(argument, rest);
    va_end(rest);
    struct outcome outcome = {-1, NULL, g_strdup("")};
    int fd = -1, status = 0;
    GPid pid;

    if (g_spawn_async_with_pipes(program.folder, words, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL, &fd, NULL, NULL)) {
        outcome.out = read_until_end(fd, pid, marker);
        close(fd);
        if (waitpid(pid, &status, 0) == pid)
            outcome.code = exit_code(status);
        g_spawn_close_pid(pid);
    }
    show(words, &outcome);
    return outcome;
}

void outcome_clear(struct outcome *outcome)
{
    g_free(outcome->out);
    g_free(outcome->err);
}

static const char *kept(char *path)
{
    const char *interned = g_intern_string(path);

    g_free(path);
    return interned;
}

const char *in_folder(const char *name)
{
    return kept(g_build_filename(program.folder, name, NULL));
}

const char *in_clips(const char *name)
{
    return kept(g_build_filename(program.clips, name, NULL));
}

guint count_files(const char *prefix)
{
    GDir *dir = g_dir_open(program.folder, 0, NULL);
    guint count = 0;

    for (const char *name; dir && (name = g_dir_read_name(dir));)
        count += g_str_has_prefix(name, prefix);
    if (dir)
        g_dir_close(dir);
    return count;
}
