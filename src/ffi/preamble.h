/* libmi: trained models inside native programs.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * This file is generated from src/ffi; do not edit it.
 *
 * libmi reads model files as their library wrote them, without Python and without executing anything in them, and predicts the
 * same numbers as that library. Link with -lmi, or load libmi.so.1 with dlopen.
 *
 * Calling convention
 *   Functions that can fail return an mi_status, MI_OK (0) or the kind of failure. mi_last_error() then has one line on this
 *   thread: what failed, on what, and what to do about it. Outputs come last, are named out_* (or out, for an array), and are
 *   untouched on failure. There are no in/out parameters and no partial success, except where a function says so.
 *   A NULL handle, a NULL pointer or a wrong size is a status, not a crash. No exception, panic or abort crosses this boundary.
 *   Strings are UTF-8 and end with a NUL. Matrices are row-major and contiguous; sizes count elements, not bytes. A NaN in a
 *   feature means missing. Results are doubles in memory of the caller.
 *   Option structs begin with their own size: call mi_<noun>_options_init first, then set fields. NULL means all defaults.
 *
 * Ownership
 *   | what                                 | who ends it                                                                |
 *   |--------------------------------------|----------------------------------------------------------------------------|
 *   | mi_model *                           | the caller, one mi_model_free for each handle received or retained         |
 *   | mi_loader *                          | the caller, mi_loader_free; models and engines made from it stay usable    |
 *   | mi_engine *                          | the caller, mi_engine_free                                                 |
 *   | mi_buffer *                          | the caller, mi_buffer_free                                                 |
 *   | mi_strings *                         | the caller, mi_strings_free                                                |
 *   | const char * from a handle           | nobody; it is borrowed from that handle and lives as long as it            |
 *   | const char * from mi_last_error      | nobody; valid until the next failure on this thread                        |
 *   | arguments                            | the caller; nothing is kept after the call returns                         |
 *
 * Threads
 *   | handle             | const T *: any number of threads at once  | T *: one thread at a time, after all others are done    |
 *   |--------------------|-------------------------------------------|---------------------------------------------------------|
 *   | mi_model           | everything but mi_model_free              | mi_model_free (each owner frees its own reference)      |
 *   | mi_loader          | everything but mi_loader_free             | mi_loader_free                                          |
 *   | mi_engine          | everything but mi_engine_free             | mi_engine_free                                          |
 *   | mi_buffer          | everything but mi_buffer_free             | mi_buffer_free                                          |
 *   | mi_strings         | mi_strings_count, mi_strings_at           | mi_strings_free                                         |
 *   The library starts no threads unless the options ask for them, prints nothing, installs no signal handlers and touches no
 *   locale. A warm predict allocates nothing, locks nothing and makes no system call; one that reads the window of a symbol holds
 *   the lock of that window, and one that other threads help with wakes them.
 *
 * Versions
 *   mi_abi_version() is 1 for all of libmi.so.1. Within it functions and constants are only added, numbers never change, and
 *   option structs only grow at their end: a program that was compiled against an older header keeps working, and one that was
 *   compiled against a newer header works as long as it sets no field that the library does not know.
 */
