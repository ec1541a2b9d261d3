/* SPDX-License-Identifier: Apache-2.0 */
/**
 * options.h: the command line. One table lists every option; parsing, the help text and the
 * configuration file all read it.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include "vk/segman.h"

/** Commands, as bits: an option says which of them know it. */
enum app_command { APP_SEGMENT = 1, APP_BENCH = 2, APP_INSPECT = 4, APP_DEVICES = 8, APP_ALL = 15 };

/** Which picture a mask is drawn on: its own, or the newest one. */
enum app_sync { APP_SYNC_ALIGNED, APP_SYNC_LATEST };
enum app_mode { APP_MODE_WHOLE, APP_MODE_SLIDE };

/** Every option's value. Texts are owned; NULL where not given. */
struct app_options {
    enum app_command command;
    char *input, *output;

    char *camera_size;       /**< WxH; NULL: 1280x720 or the nearest */
    uint64_t camera_rate;    /**< frames a second; 0: 30 or the nearest */
    uint64_t reconnect;      /**< seconds for which a lost live input is retried; 0: not at all */
    uint64_t stream_latency; /**< milliseconds; 0: the source's default */

    char *codec;
    uint64_t bitrate; /**< bits a second; 0: the encoder's quality default */
    uint64_t frames;  /**< stop after so many; 0: all (bench: chosen by time) */
    bool overwrite, keep;

    char *palette, *classes;
    double opacity;
    int view; /**< index of its choice: overlay, mask, side-by-side, source */
    bool legend;

    char *model, *size;
    int resize;        /**< enum segman_resize */
    int mode;          /**< enum app_mode */
    int precision;     /**< enum segman_precision */
    double smooth;     /**< segman_session_params.smooth */
    double skip_still; /**< threshold in 8-bit levels; below 0: no frame is skipped */
    char *device;
    bool tune;
    uint64_t parallel; /**< networks at once; 0: as suits the input */
    bool list_devices;

    bool no_window, fullscreen, loop;
    int vsync; /**< enum segman_vsync */
    int sync;  /**< enum app_sync */
    char *record;

    char *labels, *stats;
    char **dump; /**< NULL-terminated TENSOR=FILE texts */
    bool json;

    uint64_t warmup;
    bool profile, full;
    char *end_to_end;
    bool plan, tensors;

    int log_level; /**< enum segman_log_level */
    bool no_progress;
    bool help, version, validate;

    uint64_t given; /**< which options the command line had, a bit by table row */
};

enum app_option_type {
    APP_OPTION_FLAG,   /**< bool */
    APP_OPTION_TEXT,   /**< char * */
    APP_OPTION_LIST,   /**< char **, one more with each use */
    APP_OPTION_CHOICE, /**< int: index into choices */
    APP_OPTION_COUNT,  /**< uint64_t, decimal, k and M understood */
    APP_OPTION_SHARE,  /**< double 0..1 */
    APP_OPTION_LEVEL,  /**< double 0..255, yes or no value: that in choices; no: -1 */
};

struct app_option {
    const char *name;     /**< long name, also the configuration file's key */
    char shorthand;       /**< or 0 */
    const char *argument; /**< as the help shows it; NULL for flags */
    const char *choices;  /**< words separated by | */
    const char *help;     /**< NULL: only named, beside the heading */
    const char *group;    /**< heading in the help */
    unsigned commands;    /**< enum app_command bits */
    enum app_option_type type;
    bool config; /**< allowed in the configuration file */
    size_t offset;
};

extern const struct app_option app_option_table[];
extern const size_t app_option_count;

/** Defaults; then app_options_parse(), app_options_config() for what the command line left open. */
void app_options_init(struct app_options *options);
void app_options_finish(struct app_options *options);

/** Reads the command line; argv is left alone. */
bool app_options_parse(struct app_options *options, int argc, char **argv, struct segman_error *error);

/** Sets one option from text; used by both readers. */
bool app_options_set(struct app_options *options, const struct app_option *option, const char *value, struct segman_error *error);

/** Reads a configuration file's text: "long-option-name = value" lines. name is for messages. */
bool app_options_config(struct app_options *options, const char *text, const char *name, struct segman_error *error);

/** Reads the user's configuration file where there is one, then the environment. */
bool app_options_config_file(struct app_options *options, struct segman_error *error);

/** An option's bit in app_options.given. */
uint64_t app_options_bit(const char *name);

/** The help of a command, one screen, as text to be freed with g_free(). */
char *app_options_help(enum app_command command);

#endif
