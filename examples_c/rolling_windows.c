/* A sequence model over a stream of bars: every bar goes into the window of its symbol, and once that is full, each one is answered.
 * The windows are kept in a file, so that the next start of the program goes on where this one ended.
 *
 *   cc rolling_windows.c -lmi -o rolling_windows
 *   ./rolling_windows RUN_ROOT TARGET FAMILY VIEW [WINDOWS_FILE] < bars
 *
 * A line of `bars` is a symbol and its numbers, one for each column of the model: AAPL 189.1 190.2 188.7 189.9 120500
 */
#include <mi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 4096, LINE = 1 << 16 };

static int fail(const char *doing, mi_status status) {
  fprintf(stderr, "%s: %s: %s\n", doing, mi_status_name(status), mi_last_error());
  return 1;
}

/* The numbers of a line; how many. */
static size_t numbers(char *text, float *row) {
  size_t count = 0;
  for (char *end; count < COLUMNS; text = end) {
    row[count] = strtof(text, &end);
    if (end == text) break;
    ++count;
  }
  return count;
}

/* Answers bar after bar, as they come. */
static int follow(const mi_engine *engine, char **names) {
  static char line[LINE];
  static float row[COLUMNS];
  while (fgets(line, sizeof line, stdin)) {
    const size_t length = strcspn(line, " \t\r\n");
    if (length == 0) continue;
    char *rest = line + length + (line[length] != '\0');
    line[length] = '\0';
    const size_t columns = numbers(rest, row);
    double signal;
    /* The row is one of now; mi_engine_buffer and mi_buffer_push take time stamps of your own. */
    const mi_status status =
        mi_engine_predict_f32(engine, names[0], names[1], names[2], line, MI_VALUE, row, columns, &signal, 1);
    if (status == MI_OK) printf("%s %.9g\n", line, signal);
    else if (status == MI_NOT_READY) printf("%s -\n", line); /* the window has less rows than the model looks back on */
    else return fail(line, status);
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5 || argc > 6) return fprintf(stderr, "usage: %s RUN_ROOT TARGET FAMILY VIEW [WINDOWS_FILE]\n", argv[0]), 2;
  const char *const file = argc > 5 ? argv[5] : NULL;
  mi_loader *loader = NULL;
  mi_engine *engine = NULL;
  mi_buffer *windows = NULL;

  mi_status status = mi_loader_open(argv[1], NULL, &loader);
  if (status == MI_OK) status = mi_engine_new(loader, NULL, &engine);
  if (status == MI_OK) status = mi_engine_buffer(engine, argv[2], argv[3], argv[4], NULL, &windows);
  mi_loader_free(loader); /* the engine keeps what it needs */
  int failed = status != MI_OK ? fail("open", status) : 0;

  if (!failed && file) {
    status = mi_buffer_restore(windows, file);
    if (status != MI_OK && status != MI_NOT_FOUND) failed = fail("restore", status); /* there is none on the first start */
  }
  if (!failed) failed = follow(engine, argv + 2);
  if (!failed && file && (status = mi_buffer_save(windows, file)) != MI_OK) failed = fail("save", status);

  mi_buffer_free(windows);
  mi_engine_free(engine);
  return failed;
}
