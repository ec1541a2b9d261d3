/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In sanitizer builds: libraries stay loaded, so that a leak report can name the driver whose allocation it is
 * (and tests/suppressions.txt can know it). Without this, unloaded drivers show as an unknown module.
 */
int dlclose(void *library);

int dlclose(void *library)
{
    (void)library;
    return 0;
}
