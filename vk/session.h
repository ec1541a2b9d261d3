/* SPDX-License-Identifier: Apache-2.0 */
/** session.h: what the presenter needs of a session. */
#ifndef VK_SESSION_H
#define VK_SESSION_H

#include "frame/frame.h"

/** NULL where the session was not made with segman_session_params.present. */
const struct frame_program *session_frames(const struct segman_session *session);
uint32_t session_slots(const struct segman_session *session);

#endif
