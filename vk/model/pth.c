/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint_internal.h"

bool pth_open(struct checkpoint *checkpoint, struct segman_error *error)
{
    return checkpoint_fail(checkpoint, error, SEGMAN_ERROR_UNSUPPORTED, ".pth files are not read yet");
}

void pth_close(struct pth *pth)
{
    (void)pth;
}

bool pth_read(const struct checkpoint *checkpoint, const struct checkpoint_entry *entry, float *out, struct segman_error *error)
{
    (void)entry;
    (void)out;
    return pth_open((struct checkpoint *)checkpoint, error);
}
