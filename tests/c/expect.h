/* What the tests in C and C++ check with: a call's status with a word of its sentence, and a condition. */
#ifndef EXPECT_H
#define EXPECT_H

#include <mi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(call, status, word)                                                                                     \
  do {                                                                                                                 \
    mi_status got = (call);                                                                                            \
    if (got != (status) || ((status) != MI_OK && !strstr(mi_last_error(), word))) {                                    \
      fprintf(stderr, "line %d: %s: %s: %s\n", __LINE__, #call, mi_status_name(got), mi_last_error());                 \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

#define TRUE(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, mi_last_error());                                      \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

#endif
