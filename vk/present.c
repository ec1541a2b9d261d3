/* SPDX-License-Identifier: Apache-2.0 */
/* The presenter: a swapchain, and what it takes to draw slots of a session into it. See present_internal.h. */
#include "present_internal.h"

#include <stdlib.h>
#include <string.h>

#include "context.h"

#define ACQUIRE_NS 20000000ull /* a hidden window may give no image for long: it is tried again later */
#define WAIT_NS    60000000000ull

_Static_assert(PRESENT_OVERLAYS == SEGMAN_PRESENTER_OVERLAYS, "the shader's count");

/* ---- waiting --------------------------------------------------------------------------------------- */

static bool finish_flight(struct segman_presenter *p, struct present_flight *f, struct segman_error *error)
{
    if (!gpu_commands_pending(f->commands))
        return true;
    if (!gpu_commands_wait(f->commands, WAIT_NS, error))
        return false;
    p->gpu_ms = gpu_commands_time(f->commands, 1);
    return true;
}

static bool wait_flights(struct segman_presenter *p, struct segman_error *error)
{
    bool good = true;
    for (uint32_t i = 0; i < PRESENT_FLIGHTS; i++)
        good &= !p->flight[i].commands || finish_flight(p, &p->flight[i], error);
    return good;
}

/* ---- canvas and passes ------------------------------------------------------------------------------- */

static void drop_passes(struct gpu *gpu, struct present_canvas *c)
{
    for (uint32_t i = 0; i < SEGMAN_MAX_SLOTS; i++)
        for (uint32_t k = 0; k < SEGMAN_MAX_SLOTS; k++)
            gpu_pass_destroy(gpu, c->pass[i][k]);
    gpu_pass_destroy(gpu, c->empty);
    memset(c->pass, 0, sizeof(c->pass));
    c->empty = NULL;
}

static void finish_canvas(struct gpu *gpu, struct present_canvas *c)
{
    drop_passes(gpu, c);
    gpu_buffer_finish(gpu, &c->buffer);
    c->width = c->height = 0;
}

/* The buffer only grows: a window that is dragged larger and smaller does not allocate each time. */
static bool size_canvas(struct segman_presenter *p, struct present_canvas *c, uint32_t width, uint32_t height, struct segman_error *error)
{
    uint64_t bytes = (uint64_t)width * height * 4;
    if (c->width == width && c->height == height)
        return true;
    drop_passes(p->gpu, c);
    if (bytes > c->buffer.size) {
        gpu_buffer_finish(p->gpu, &c->buffer);
        if (!gpu_buffer_init(p->gpu, &c->buffer, bytes, GPU_MEMORY_DEVICE, error))
            return false;
    }
    c->width = width;
    c->height = height;
    return true;
}

static struct gpu_range whole(const struct gpu_buffer *buffer)
{
    return (struct gpu_range){buffer, 0, buffer->size};
}

static struct gpu_pass *make_pass(struct segman_presenter *p, const struct present_canvas *c, const struct segman_present *what,
                                  struct segman_error *error)
{
    struct gpu_range picture = whole(&p->nothing), labels = picture, confidence = picture;
    if (!what->empty) {
        struct frame_kept kept = frame_kept(p->frames, what->labels);
        picture = frame_kept(p->frames, what->picture).picture;
        labels = kept.labels;
        confidence = kept.confidence.size ? kept.confidence : confidence;
    }
    const struct gpu_pass_desc desc = {
        .shader = "present",
        .label = "window",
        .binding = {{picture, GPU_READ},
                    {labels, GPU_READ},
                    {confidence, GPU_READ},
                    {whole(&p->words), GPU_READ},
                    {whole(&p->texts), GPU_READ},
                    {{&c->buffer, 0, (uint64_t)c->width * c->height * 4}, GPU_WRITE}},
        .n_bindings = 6,
        .groups = {(c->width + 31) / 32, (c->height + 1) / 2, 1},
    };
    return gpu_pass_create(p->gpu, &desc, error);
}

static const struct gpu_pass *find_pass(struct segman_presenter *p, struct present_canvas *c, const struct segman_present *what,
                                        struct segman_error *error)
{
    struct gpu_pass **pass = what->empty ? &c->empty : &c->pass[what->picture][what->labels];
    if (!*pass)
        *pass = make_pass(p, c, what, error);
    return *pass;
}

/* ---- create ------------------------------------------------------------------------------------------ */

static bool make_texts(struct segman_presenter *p, uint32_t words, struct segman_error *error)
{
    bool good = wait_flights(p, error);
    drop_passes(p->gpu, &p->canvas);
    gpu_buffer_finish(p->gpu, &p->texts);
    good = good && gpu_buffer_init(p->gpu, &p->texts, (uint64_t)words * 4, GPU_MEMORY_DEVICE, error);
    for (uint32_t i = 0; i < PRESENT_FLIGHTS; i++) {
        gpu_buffer_finish(p->gpu, &p->flight[i].texts);
        good = good && gpu_buffer_init(p->gpu, &p->flight[i].texts, (uint64_t)words * 4, GPU_MEMORY_UPLOAD, error);
    }
    p->text_capacity = words;
    return good;
}

static bool make_flight(struct segman_presenter *p, struct present_flight *f, struct segman_error *error)
{
    f->commands = gpu_commands_create(p->gpu, 2, error);
    return f->commands && gpu_semaphore_init(p->gpu, &f->acquired, error) &&
           gpu_buffer_init(p->gpu, &f->words, sizeof(struct present_frame), GPU_MEMORY_UPLOAD, error);
}

static bool make_chain(struct segman_presenter *p, struct segman_error *error)
{
    static const VkPresentModeKHR wishes[3][2] = {
        [SEGMAN_VSYNC_ON] = {VK_PRESENT_MODE_FIFO_KHR, VK_PRESENT_MODE_FIFO_KHR},
        [SEGMAN_VSYNC_OFF] = {VK_PRESENT_MODE_MAILBOX_KHR, VK_PRESENT_MODE_IMMEDIATE_KHR},
        [SEGMAN_VSYNC_ADAPTIVE] = {VK_PRESENT_MODE_FIFO_RELAXED_KHR, VK_PRESENT_MODE_FIFO_KHR},
    };
    if (!wait_flights(p, error) ||
        !gpu_swapchain_init(p->gpu, &p->chain, wishes[p->params.vsync], 2, p->params.width, p->params.height, error))
        return false;
    p->rebuilt++;
    return !p->chain.swapchain || size_canvas(p, &p->canvas, p->chain.width, p->chain.height, error);
}

struct segman_presenter *segman_presenter_create(struct segman_context *context, const struct segman_presenter_params *params,
                                                 struct segman_error *error)
{
    if (!gpu_has_surface(context->gpu) || (unsigned)params->vsync > SEGMAN_VSYNC_ADAPTIVE) {
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The context was not made for a window");
        return NULL;
    }
    struct segman_presenter *p = calloc(1, sizeof(*p));
    if (!p) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    p->gpu = context->gpu;
    p->params = *params;
    bool good = gpu_buffer_init(p->gpu, &p->words, sizeof(struct present_frame), GPU_MEMORY_DEVICE, error) &&
                gpu_buffer_init(p->gpu, &p->nothing, 64, GPU_MEMORY_DEVICE, error);
    for (uint32_t i = 0; good && i < PRESENT_FLIGHTS; i++)
        good = make_flight(p, &p->flight[i], error);
    if (!good || !make_texts(p, 16, error) || !make_chain(p, error))
        goto fail;
    p->rebuilt = 0;
    return p;
fail:
    segman_presenter_destroy(p);
    return NULL;
}

void segman_presenter_destroy(struct segman_presenter *p)
{
    if (!p)
        return;
    gpu_wait_idle(p->gpu); /* the display's own use of the semaphores too */
    wait_flights(p, NULL);
    finish_canvas(p->gpu, &p->canvas);
    gpu_swapchain_finish(p->gpu, &p->chain);
    for (uint32_t i = 0; i < PRESENT_FLIGHTS; i++) {
        struct present_flight *f = &p->flight[i];
        gpu_commands_destroy(f->commands);
        gpu_semaphore_finish(p->gpu, &f->acquired);
        gpu_buffer_finish(p->gpu, &f->words);
        gpu_buffer_finish(p->gpu, &f->texts);
    }
    gpu_buffer_finish(p->gpu, &p->words);
    gpu_buffer_finish(p->gpu, &p->texts);
    gpu_buffer_finish(p->gpu, &p->nothing);
    for (uint32_t i = 0; i < PRESENT_OVERLAYS; i++)
        free(p->text[i].pixels);
    free(p);
}

bool segman_presenter_resize(struct segman_presenter *p, uint32_t width, uint32_t height, struct segman_error *error)
{
    if (width == p->params.width && height == p->params.height && !p->chain.stale)
        return true;
    p->params.width = width;
    p->params.height = height;
    return make_chain(p, error);
}

bool segman_presenter_attach(struct segman_presenter *p, struct segman_session *session, struct segman_error *error)
{
    const struct frame_program *frames = session ? session_frames(session) : NULL;
    if (session && !frames)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The session keeps no pictures to be shown");
    bool good = wait_flights(p, error);
    drop_passes(p->gpu, &p->canvas);
    p->frames = frames;
    p->slots = session ? session_slots(session) : 0;
    return good;
}

bool segman_presenter_set_overlay(struct segman_presenter *p, uint32_t index, const struct segman_overlay *overlay,
                                  struct segman_error *error)
{
    bool grew = false;
    uint32_t words = 0;
    if (index >= PRESENT_OVERLAYS)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "A window has %u overlays", PRESENT_OVERLAYS);
    if (!present_text_set(p, index, overlay, &grew, error))
        return false;
    for (uint32_t i = 0; i < PRESENT_OVERLAYS; i++)
        words += p->text[i].capacity;
    return !grew || make_texts(p, words, error);
}

/* ---- a draw -------------------------------------------------------------------------------------------- */

static bool check(const struct segman_presenter *p, const struct segman_present *what, struct segman_error *error)
{
    if (what->empty)
        return true;
    if (!p->frames || what->picture >= p->slots || what->labels >= p->slots || !what->style ||
        (unsigned)what->view > SEGMAN_VIEW_CONFIDENCE)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "There is no such frame to be drawn");
    if (what->view == SEGMAN_VIEW_CONFIDENCE && !frame_kept(p->frames, what->labels).confidence.size)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The session makes no confidence map");
    return true;
}

/* Texts that the device does not have yet, through this flight's own memory. */
static void record_texts(struct segman_presenter *p, struct present_flight *f)
{
    for (uint32_t i = 0; i < PRESENT_OVERLAYS; i++) {
        const struct present_text *t = &p->text[i];
        uint64_t offset = (uint64_t)t->offset * 4, bytes = (uint64_t)t->width * t->height * 4;
        if (p->text_version[i] == t->version || !bytes)
            continue;
        memcpy((char *)f->texts.map + offset, t->pixels, bytes);
        gpu_commands_copy(f->commands, (struct gpu_range){&f->texts, offset, bytes}, (struct gpu_range){&p->texts, offset, bytes});
        p->text_version[i] = t->version;
    }
}

static bool record(struct segman_presenter *p, struct present_flight *f, const struct gpu_pass *pass, uint32_t image,
                   struct segman_error *error)
{
    const struct present_canvas *c = &p->canvas;
    if (!gpu_commands_begin(f->commands, error))
        return false;
    gpu_commands_timer(f->commands);
    gpu_commands_copy(f->commands, whole(&f->words), whole(&p->words));
    record_texts(p, f);
    gpu_commands_pass(f->commands, pass);
    gpu_commands_timer(f->commands);
    gpu_commands_copy_to_image(f->commands, (struct gpu_range){&c->buffer, 0, (uint64_t)c->width * c->height * 4}, p->chain.image[image],
                               c->width, c->height);
    return gpu_commands_end(f->commands, error);
}

/* SKIPPED where there is no image now. */
static enum segman_presented acquire(struct segman_presenter *p, struct present_flight *f, uint32_t *image, struct segman_error *error)
{
    VkResult r = gpu_swapchain_acquire(p->gpu, &p->chain, f->acquired, ACQUIRE_NS, image);
    if (r == VK_SUCCESS)
        return SEGMAN_PRESENT_DONE;
    if (r == VK_NOT_READY || r == VK_TIMEOUT || r == VK_ERROR_OUT_OF_DATE_KHR)
        return SEGMAN_PRESENT_SKIPPED;
    gpu_fail(error, r, "Asking for an image of the window");
    return SEGMAN_PRESENT_FAILED;
}

static enum segman_presented draw_into(struct segman_presenter *p, struct present_flight *f, const struct gpu_pass *pass,
                                       struct segman_error *error)
{
    uint32_t image;
    enum segman_presented got = acquire(p, f, &image, error);
    if (got != SEGMAN_PRESENT_DONE)
        return got;
    if (!record(p, f, pass, image, error) || !gpu_commands_submit_between(f->commands, f->acquired, p->chain.rendered[image], error))
        return SEGMAN_PRESENT_FAILED;
    p->next = (p->next + 1) % PRESENT_FLIGHTS;
    VkResult r = gpu_swapchain_present(p->gpu, &p->chain, image);
    if (r >= 0 || r == VK_ERROR_OUT_OF_DATE_KHR)
        return SEGMAN_PRESENT_DONE;
    gpu_fail(error, r, "Showing a picture");
    return SEGMAN_PRESENT_FAILED;
}

/* The window was said to have a size that its surface did not have then. */
static bool overtaken(const struct segman_presenter *p)
{
    bool wanted = p->params.width && p->params.height;
    bool fits = p->chain.width == p->params.width && p->chain.height == p->params.height;
    return wanted && !fits && gpu_swapchain_outgrown(p->gpu, &p->chain);
}

bool segman_presenter_ready(struct segman_presenter *p)
{
    return gpu_commands_done(p->flight[p->next].commands);
}

enum segman_presented segman_presenter_draw(struct segman_presenter *p, const struct segman_present *what, struct segman_error *error)
{
    struct present_flight *f = &p->flight[p->next];
    if (!check(p, what, error))
        return SEGMAN_PRESENT_FAILED;
    if ((p->chain.stale || overtaken(p)) && !make_chain(p, error))
        return SEGMAN_PRESENT_FAILED;
    if (!p->chain.swapchain || !gpu_commands_done(f->commands)) {
        p->skipped++;
        return SEGMAN_PRESENT_SKIPPED;
    }
    const struct gpu_pass *pass = finish_flight(p, f, error) ? find_pass(p, &p->canvas, what, error) : NULL;
    if (!pass)
        return SEGMAN_PRESENT_FAILED;
    present_fill(p, what, p->chain.width, p->chain.height, p->chain.bgr, f->words.map);
    present_fill_overlays(p, f->words.map);
    enum segman_presented done = draw_into(p, f, pass, error);
    p->shown += done == SEGMAN_PRESENT_DONE;
    p->skipped += done == SEGMAN_PRESENT_SKIPPED;
    return done;
}

/* ---- screenshots, positions, figures --------------------------------------------------------------------- */

static bool capture_now(struct segman_presenter *p, struct present_canvas *c, const struct segman_present *what, struct segman_error *error)
{
    struct present_frame frame;
    const struct gpu_pass *pass = find_pass(p, c, what, error);
    struct gpu_commands *commands = pass ? gpu_commands_create(p->gpu, 0, error) : NULL;
    present_fill(p, what, c->width, c->height, false, &frame);
    bool good = commands && wait_flights(p, error) && gpu_buffer_write(p->gpu, &p->words, 0, &frame, sizeof(frame), error) &&
                gpu_commands_begin(commands, error);
    if (good)
        gpu_commands_pass(commands, pass);
    good = good && gpu_commands_end(commands, error) && gpu_commands_submit(commands, error) && gpu_commands_wait(commands, WAIT_NS, error);
    gpu_commands_destroy(commands);
    return good;
}

bool segman_presenter_capture(struct segman_presenter *p, const struct segman_present *what, uint32_t *width, uint32_t *height,
                              uint8_t **rgba, struct segman_error *error)
{
    struct present_canvas canvas = {0};
    *rgba = NULL;
    if (what->empty || !check(p, what, error))
        return segman_fail(what->empty ? error : NULL, SEGMAN_ERROR_ARGUMENT, "There is no frame to be drawn");
    present_view_size(p, what, width, height);
    struct segman_present square = *what; /* the frame's own pixels */
    square.par_num = square.par_den = 0;
    uint64_t bytes = (uint64_t)*width * *height * 4;
    bool good = size_canvas(p, &canvas, *width, *height, error) && capture_now(p, &canvas, &square, error);
    if (good && !(*rgba = malloc(bytes)))
        good = segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    good = good && gpu_buffer_read(p->gpu, &canvas.buffer, 0, *rgba, bytes, error);
    finish_canvas(p->gpu, &canvas);
    if (good)
        return true;
    free(*rgba);
    *rgba = NULL;
    return false;
}

bool segman_presenter_locate(const struct segman_presenter *p, const struct segman_present *what, int32_t x, int32_t y, uint32_t *frame_x,
                             uint32_t *frame_y)
{
    struct present_frame f;
    if (!p->chain.swapchain || what->empty || !check(p, what, NULL))
        return false;
    present_fill(p, what, p->chain.width, p->chain.height, false, &f);
    int64_t vx = (int64_t)x - f.x, vy = (int64_t)y - f.y;
    if (vx < 0 || vy < 0 || vx >= f.view_width || vy >= f.view_height)
        return false;
    uint32_t column = (uint32_t)(((float)vx + 0.5f) * f.scale_x), row = (uint32_t)(((float)vy + 0.5f) * f.scale_y);
    *frame_x = column % f.frame_width; /* side by side */
    *frame_y = row < f.frame_height ? row : f.frame_height - 1;
    return true;
}

void segman_presenter_info(const struct segman_presenter *p, struct segman_presenter_info *info)
{
    *info = (struct segman_presenter_info){.width = p->chain.width,
                                           .height = p->chain.height,
                                           .images = p->chain.n_images,
                                           .mode = gpu_present_mode_name(p->chain.mode),
                                           .shown = p->shown,
                                           .skipped = p->skipped,
                                           .rebuilt = p->rebuilt,
                                           .gpu_ms = p->gpu_ms};
}
