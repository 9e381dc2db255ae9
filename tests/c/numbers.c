/* Every number of the C API, pinned for ever: a change breaks programs that are already compiled. */
#include <mi.h>

#include <stdio.h>
#include <string.h>

static int wrong = 0;

static void pin(const char *name, int value, int expected, const char *reported) {
  if (value != expected || (reported && strcmp(name, reported) != 0)) {
    fprintf(stderr, "%s is %d (%s), must be %d\n", name, value, reported ? reported : "", expected);
    wrong = 1;
  }
}

#define STATUS(name, number) pin(#name, name, number, mi_status_name(name))
#define NUMBER(name, number) pin(#name, name, number, NULL)

int main(void) {
  STATUS(MI_OK, 0);
  STATUS(MI_INVALID_ARGUMENT, 1);
  STATUS(MI_NOT_FOUND, 2);
  STATUS(MI_IO, 3);
  STATUS(MI_MALFORMED, 4);
  STATUS(MI_UNSUPPORTED, 5);
  STATUS(MI_LIMIT_EXCEEDED, 6);
  STATUS(MI_CHECKSUM_MISMATCH, 10);
  STATUS(MI_UNSIGNED, 11);
  STATUS(MI_INTERVAL_MISMATCH, 12);
  STATUS(MI_SHAPE_MISMATCH, 20);
  STATUS(MI_SEQUENCE_REQUIRED, 21);
  STATUS(MI_NOT_READY, 22);
  STATUS(MI_STALE, 23);
  STATUS(MI_BACKEND, 30);
  STATUS(MI_BACKEND_MISSING, 31);
  STATUS(MI_INTERNAL, 99);
  NUMBER(MI_VALUE, 0);
  NUMBER(MI_RAW, 1);
  NUMBER(MI_PROBABILITY, 2);
  NUMBER(MI_LABEL, 3);
  NUMBER(MI_LEAF, 4);
  NUMBER(MI_CONTRIBUTION, 5);
  NUMBER(MI_DISTRIBUTION, 6);
  NUMBER(MI_SPLIT, 0);
  NUMBER(MI_GAIN, 1);
  NUMBER(MI_COEFFICIENT, 2);
  NUMBER(MI_NORMALIZE_NONE, 0);
  NUMBER(MI_NORMALIZE_RETURNS, 1);
  NUMBER(MI_NORMALIZE_LOG_RETURNS, 2);
  NUMBER(MI_NORMALIZE_MINMAX, 3);
  if (strcmp(mi_status_name(12345), "MI_UNKNOWN") != 0 || strcmp(mi_status_name(-1), "MI_UNKNOWN") != 0) wrong = 1;
  if (mi_abi_version() != 1 || strcmp(mi_version(), "0.1.0") != 0) wrong = 1;
  if (sizeof(mi_status) != 4) wrong = 1;
  return wrong;
}
