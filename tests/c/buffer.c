/* Rolling windows through the C API: misuse is a status and a sentence, outputs are untouched on failure, numbers are right, and
 * threads may push and read at once.
 *
 *   buffer FOLDER
 */
#include "expect.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>

enum { STEPS = 3, WIDTH = 2 };
static const int64_t NOON = INT64_C(1700000000000000000), SECOND = INT64_C(1000000000);

static void making(void) {
  mi_buffer *buffer = (mi_buffer *)&buffer;
  mi_buffer *const before = buffer;
  EXPECT(mi_buffer_new(STEPS, WIDTH, NULL, NULL), MI_INVALID_ARGUMENT, "out_buffer is NULL");
  EXPECT(mi_buffer_new(0, WIDTH, NULL, &buffer), MI_INVALID_ARGUMENT, "sequence_length is 0");
  EXPECT(mi_buffer_new(STEPS, 0, NULL, &buffer), MI_INVALID_ARGUMENT, "feature_count is 0");
  EXPECT(mi_buffer_new(SIZE_MAX, SIZE_MAX, NULL, &buffer), MI_LIMIT_EXCEEDED, "cap");
  mi_buffer_options options;
  memset(&options, 0, sizeof options);
  EXPECT(mi_buffer_new(STEPS, WIDTH, &options, &buffer), MI_INVALID_ARGUMENT, "_options_init");
  mi_buffer_options_init(&options);
  TRUE(options.struct_size == sizeof options && options.ttl_seconds == 300.0 && options.max_symbols == 65536);
  options.ttl_seconds = -1.0;
  EXPECT(mi_buffer_new(STEPS, WIDTH, &options, &buffer), MI_INVALID_ARGUMENT, "ttl_seconds is -1");
  options.ttl_seconds = NAN;
  EXPECT(mi_buffer_new(STEPS, WIDTH, &options, &buffer), MI_INVALID_ARGUMENT, "ttl_seconds");
  mi_buffer_options_init(&options);
  options.normalization = 4;
  EXPECT(mi_buffer_new(STEPS, WIDTH, &options, &buffer), MI_INVALID_ARGUMENT, "normalization is 4");
  mi_buffer_options_init(&options);
  options.warmup_rows = STEPS + 1;
  EXPECT(mi_buffer_new(STEPS, WIDTH, &options, &buffer), MI_INVALID_ARGUMENT, "warmup_rows");
  mi_buffer_options_init(&options);
  options.channel_count = WIDTH;
  EXPECT(mi_buffer_new(STEPS, WIDTH, &options, &buffer), MI_INVALID_ARGUMENT, "channels is NULL");
  const char *const channels[] = {"close", NULL, "volume"};
  options.channels = channels;
  options.channel_count = 3;
  EXPECT(mi_buffer_new(STEPS, WIDTH, &options, &buffer), MI_INVALID_ARGUMENT, "3 channels");
  TRUE(buffer == before);
  mi_buffer_options_init(NULL);
  mi_buffer_free(NULL);
}

static void pushing(void) {
  mi_buffer *buffer = NULL;
  EXPECT(mi_buffer_new(STEPS, WIDTH, NULL, &buffer), MI_OK, "");
  TRUE(mi_buffer_sequence_length(buffer) == STEPS && mi_buffer_feature_count(buffer) == WIDTH);
  const float row[] = {1.0f, 2.0f, 3.0f}, bad[] = {1.0f, NAN};
  float out[STEPS * WIDTH];
  int32_t ready = 7;
  for (int i = 0; i < STEPS * WIDTH; ++i) out[i] = 42.0f;
  EXPECT(mi_buffer_push(NULL, "A", row, WIDTH, NOON), MI_INVALID_ARGUMENT, "buffer is NULL");
  EXPECT(mi_buffer_push(buffer, NULL, row, WIDTH, NOON), MI_INVALID_ARGUMENT, "symbol is NULL");
  EXPECT(mi_buffer_push(buffer, "", row, WIDTH, NOON), MI_INVALID_ARGUMENT, "a symbol is a name");
  EXPECT(mi_buffer_push(buffer, "\xff", row, WIDTH, NOON), MI_INVALID_ARGUMENT, "UTF-8");
  EXPECT(mi_buffer_push(buffer, "A", NULL, WIDTH, NOON), MI_INVALID_ARGUMENT, "row is NULL");
  EXPECT(mi_buffer_push(buffer, "A", row, 3, NOON), MI_SHAPE_MISMATCH, "3 columns");
  EXPECT(mi_buffer_push(buffer, "A", bad, WIDTH, NOON), MI_INVALID_ARGUMENT, "column 1 is NaN");
  TRUE(mi_buffer_symbol_count(buffer) == 0 && mi_buffer_symbol_count(NULL) == 0);
  EXPECT(mi_buffer_ready(buffer, "A", NOON, NULL), MI_INVALID_ARGUMENT, "out_ready is NULL");
  EXPECT(mi_buffer_ready(NULL, "A", NOON, &ready), MI_INVALID_ARGUMENT, "buffer is NULL");
  TRUE(ready == 7);
  EXPECT(mi_buffer_ready(buffer, "A", NOON, &ready), MI_OK, "");
  TRUE(ready == 0);
  EXPECT(mi_buffer_sequence(buffer, "A", NOON, out, STEPS * WIDTH), MI_NOT_READY, "0 of the 3 rows");
  for (int i = 0; i < 5; ++i) {
    const float next[] = {(float)i, (float)-i};
    EXPECT(mi_buffer_push(buffer, "A", next, WIDTH, NOON + i), MI_OK, "");
    EXPECT(mi_buffer_ready(buffer, "A", NOON, &ready), MI_OK, "");
    TRUE(ready == (i >= 2));
  }
  EXPECT(mi_buffer_push(buffer, "A", row, WIDTH, NOON), MI_INVALID_ARGUMENT, "before");
  EXPECT(mi_buffer_sequence(buffer, "A", NOON, out, STEPS * WIDTH - 1), MI_SHAPE_MISMATCH, "room for 5");
  EXPECT(mi_buffer_sequence(buffer, "A", NOON, NULL, STEPS * WIDTH), MI_INVALID_ARGUMENT, "out is NULL");
  EXPECT(mi_buffer_sequence(buffer, "A", NOON + 400 * SECOND, out, STEPS * WIDTH), MI_STALE, "400.000 s old");
  TRUE(out[0] == 42.0f && out[5] == 42.0f);
  EXPECT(mi_buffer_sequence(buffer, "A", NOON, out, STEPS * WIDTH), MI_OK, "");
  TRUE(out[0] == 2.0f && out[1] == -2.0f && out[4] == 4.0f && out[5] == -4.0f);

  size_t rows = 0, accepted = 99;
  int64_t newest = 0;
  int32_t stale = 7;
  EXPECT(mi_buffer_status(buffer, "A", NOON + 400 * SECOND, &rows, &newest, &ready, &stale), MI_OK, "");
  TRUE(rows == STEPS && newest == NOON + 4 && !ready && stale);
  EXPECT(mi_buffer_status(buffer, "nobody", NOON, &rows, &newest, NULL, NULL), MI_OK, "");
  TRUE(rows == 0 && newest == 0);

  const float history[] = {1.0f, 1.0f, INFINITY, 2.0f, 3.0f, 3.0f};
  const int64_t times[] = {NOON, NOON + 1, NOON - 1};
  EXPECT(mi_buffer_push_rows(buffer, "B", history, 3, WIDTH + 1, times, &accepted), MI_SHAPE_MISMATCH, "3 columns");
  EXPECT(mi_buffer_push_rows(buffer, "B", NULL, 3, WIDTH, times, &accepted), MI_INVALID_ARGUMENT, "rows is NULL");
  EXPECT(mi_buffer_push_rows(buffer, "B", history, SIZE_MAX, WIDTH, times, &accepted), MI_SHAPE_MISMATCH, "memory");
  TRUE(accepted == 99);
  EXPECT(mi_buffer_push_rows(buffer, "B", history, 3, WIDTH, times, &accepted), MI_OK, "");
  TRUE(accepted == 1);
  EXPECT(mi_buffer_push_rows(buffer, "B", history, 3, WIDTH, NULL, NULL), MI_OK, "");
  EXPECT(mi_buffer_push_rows(buffer, "B", NULL, 0, WIDTH, NULL, &accepted), MI_OK, "");
  TRUE(accepted == 0);

  mi_strings *symbols = NULL;
  EXPECT(mi_buffer_symbols(buffer, &symbols), MI_OK, "");
  TRUE(mi_strings_count(symbols) == 2 && strcmp(mi_strings_at(symbols, 1), "B") == 0);
  mi_strings_free(symbols);
  EXPECT(mi_buffer_ready_symbols(buffer, NOON, &symbols), MI_OK, "");
  TRUE(mi_strings_count(symbols) == 2);
  mi_strings_free(symbols);
  EXPECT(mi_buffer_reset(buffer, "A"), MI_OK, "");
  EXPECT(mi_buffer_ready_symbols(buffer, 0, &symbols), MI_OK, "");
  TRUE(mi_strings_count(symbols) == 1 && mi_buffer_symbol_count(buffer) == 2);
  mi_strings_free(symbols);
  EXPECT(mi_buffer_reset_all(buffer), MI_OK, "");
  EXPECT(mi_buffer_ready(buffer, "B", 0, &ready), MI_OK, "");
  TRUE(ready == 0);
  EXPECT(mi_buffer_remove(buffer, "A"), MI_OK, "");
  TRUE(mi_buffer_symbol_count(buffer) == 1);
  EXPECT(mi_buffer_symbols(buffer, NULL), MI_INVALID_ARGUMENT, "out_symbols is NULL");
  EXPECT(mi_buffer_ready_symbols(NULL, NOON, &symbols), MI_INVALID_ARGUMENT, "buffer is NULL");
  EXPECT(mi_buffer_reset(buffer, NULL), MI_INVALID_ARGUMENT, "symbol is NULL");
  EXPECT(mi_buffer_reset_all(NULL), MI_INVALID_ARGUMENT, "buffer is NULL");
  EXPECT(mi_buffer_remove(NULL, "A"), MI_INVALID_ARGUMENT, "buffer is NULL");
  TRUE(mi_buffer_sequence_length(NULL) == 0 && mi_buffer_feature_count(NULL) == 0);
  mi_buffer_free(buffer);
}

static void channels(void) {
  const char *const names[] = {"volume", NULL, "close", "open"};
  mi_buffer_options options;
  mi_buffer_options_init(&options);
  options.normalization = MI_NORMALIZE_RETURNS;
  options.channels = names;
  options.channel_count = 4;
  options.warmup_rows = 2;
  mi_buffer *buffer = NULL;
  EXPECT(mi_buffer_new(STEPS, 4, &options, &buffer), MI_OK, "");
  const float rows[] = {10.0f, 7.0f, 2.0f, 1.0f, 5.0f, 8.0f, 4.0f, 3.0f};
  const float expected[] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 7.0f, 0.0f, -0.5f, -0.5f, 8.0f, 1.0f, 0.5f};
  float out[STEPS * 4];
  EXPECT(mi_buffer_push_rows(buffer, "A", rows, 2, 4, NULL, NULL), MI_OK, "");
  EXPECT(mi_buffer_sequence(buffer, "A", 0, out, STEPS * 4), MI_OK, "");
  TRUE(memcmp(out, expected, sizeof out) == 0);
  mi_buffer_free(buffer);
}

static void files(const char *folder) {
  char path[4096], other[4096];
  snprintf(path, sizeof path, "%s/windows.state", folder);
  snprintf(other, sizeof other, "%s/none/windows.state", folder);
  mi_buffer *buffer = NULL, *wider = NULL;
  EXPECT(mi_buffer_new(STEPS, WIDTH, NULL, &buffer), MI_OK, "");
  EXPECT(mi_buffer_new(STEPS, WIDTH + 1, NULL, &wider), MI_OK, "");
  const float rows[] = {0.1f, -0.0f, 1e-40f, 3e38f, 5.0f, 6.0f};
  float out[STEPS * WIDTH];
  EXPECT(mi_buffer_restore(buffer, path), MI_NOT_FOUND, "windows.state");
  EXPECT(mi_buffer_push_rows(buffer, "A", rows, 3, WIDTH, NULL, NULL), MI_OK, "");
  EXPECT(mi_buffer_save(buffer, NULL), MI_INVALID_ARGUMENT, "path is NULL");
  EXPECT(mi_buffer_save(NULL, path), MI_INVALID_ARGUMENT, "buffer is NULL");
  EXPECT(mi_buffer_save(buffer, ""), MI_INVALID_ARGUMENT, "no file");
  EXPECT(mi_buffer_save(buffer, other), MI_NOT_FOUND, "none");
  EXPECT(mi_buffer_save(buffer, path), MI_OK, "");
  EXPECT(mi_buffer_reset_all(buffer), MI_OK, "");
  EXPECT(mi_buffer_restore(wider, path), MI_SHAPE_MISMATCH, "3 x 2");
  EXPECT(mi_buffer_restore(buffer, path), MI_OK, "");
  EXPECT(mi_buffer_sequence(buffer, "A", 0, out, STEPS * WIDTH), MI_OK, "");
  TRUE(memcmp(out, rows, sizeof rows) == 0);

  FILE *file = fopen(path, "r+b");
  TRUE(file && fseek(file, 150, SEEK_SET) == 0 && fputc(0x55, file) == 0x55 && fclose(file) == 0);
  EXPECT(mi_buffer_restore(buffer, path), MI_CHECKSUM_MISMATCH, "windows.state");
  file = fopen(path, "wb");
  TRUE(file && fputs("nonsense", file) >= 0 && fclose(file) == 0);
  EXPECT(mi_buffer_restore(buffer, path), MI_MALFORMED, "windows.state");
  EXPECT(mi_buffer_sequence(buffer, "A", 0, out, STEPS * WIDTH), MI_OK, "");
  TRUE(memcmp(out, rows, sizeof rows) == 0);
  TRUE(remove(path) == 0);
  mi_buffer_free(wider);
  mi_buffer_free(buffer);
}

static void *pusher(void *buffer) {
  for (int i = 1; i <= 2000; ++i) {
    const float row[] = {(float)i, (float)i};
    mi_buffer_push(buffer, "shared", row, WIDTH, NOON);
  }
  return NULL;
}

static void threads(void) {
  mi_buffer *buffer = NULL;
  EXPECT(mi_buffer_new(STEPS, WIDTH, NULL, &buffer), MI_OK, "");
  pthread_t running[4];
  for (int i = 0; i < 4; ++i) TRUE(pthread_create(&running[i], NULL, pusher, buffer) == 0);
  float out[STEPS * WIDTH];
  for (int i = 0; i < 2000; ++i) {
    if (mi_buffer_sequence(buffer, "shared", NOON, out, STEPS * WIDTH) != MI_OK) continue;
    for (int row = 0; row < STEPS; ++row) TRUE(out[row * WIDTH] == out[row * WIDTH + 1]);
  }
  for (int i = 0; i < 4; ++i) pthread_join(running[i], NULL);
  TRUE(mi_buffer_symbol_count(buffer) == 1);
  mi_buffer_free(buffer);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  making();
  pushing();
  channels();
  files(argv[1]);
  threads();
  return 0;
}
