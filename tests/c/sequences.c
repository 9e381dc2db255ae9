/* Sequences through the C API: windows by symbol fill, answer, go stale and are reset; misuse is a status and a sentence; outputs are
 * untouched on failure, but for the NaN that stands for an answer that is not there.
 *
 *   sequences RUN_ROOT
 */
#include "expect.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum { STEPS = 12, WIDTH = 6, SYMBOLS = 3 };
static const char *const T = "fwd_ret_5m", *const F = "lstm";
static const int64_t NOON = INT64_C(1700000000000000000), SECOND = INT64_C(1000000000);
static float rows[2 * STEPS * WIDTH];
static double wide[2 * STEPS * WIDTH];

static void options(const mi_loader *loader) {
  mi_engine_options given;
  mi_engine_options_init(&given);
  TRUE(given.window_ttl_seconds == 300.0 && given.warmup_rows == 0 && given.max_symbols == 65536);
  mi_engine *engine = NULL;
  given.window_ttl_seconds = -1.0;
  EXPECT(mi_engine_new(loader, &given, &engine), MI_INVALID_ARGUMENT, "window_ttl_seconds is -1");
  given.window_ttl_seconds = 1.0;
  given.warmup_rows = 1;
  EXPECT(mi_engine_new(loader, &given, &engine), MI_OK, "");
  double out = 7.0;
  EXPECT(mi_engine_predict_f32(engine, T, F, NULL, "A", MI_VALUE, rows, WIDTH, &out, 1), MI_OK, "");
  TRUE(isfinite(out));
  mi_engine_free(engine);
  /* A program that was compiled before windows came to be. */
  mi_engine_options_init(&given);
  given.struct_size = offsetof(mi_engine_options, window_ttl_seconds);
  EXPECT(mi_engine_new(loader, &given, &engine), MI_OK, "");
  EXPECT(mi_engine_predict_f32(engine, T, F, NULL, "A", MI_VALUE, rows, WIDTH, &out, 1), MI_NOT_READY, "1 of the 12");
  mi_engine_free(engine);
}

static void filling(const mi_engine *engine) {
  double out[2] = {7.0, 7.0};
  EXPECT(mi_engine_predict_f32(engine, T, F, NULL, NULL, MI_VALUE, rows, WIDTH, out, 1), MI_SEQUENCE_REQUIRED, "12 steps of 6");
  TRUE(out[0] == 7.0);
  for (int i = 0; i < STEPS - 1; ++i) {
    out[0] = 7.0;
    EXPECT(mi_engine_predict_f32(engine, T, F, NULL, "AAPL", MI_VALUE, rows + i * WIDTH, WIDTH, out, 1), MI_NOT_READY, "AAPL");
    TRUE(isnan(out[0]));
  }
  EXPECT(mi_engine_predict_f64(engine, T, F, NULL, "AAPL", MI_VALUE, wide + (STEPS - 1) * WIDTH, WIDTH, out, 1), MI_OK, "");
  double whole = 0.0, again = 0.0;
  EXPECT(mi_engine_predict_sequence_f32(engine, T, F, NULL, NULL, MI_VALUE, rows, 1, STEPS, WIDTH, &whole, 1), MI_OK, "");
  TRUE(fabs(whole - out[0]) <= 1e-6 && isfinite(whole));
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, "AAPL", MI_VALUE, 0, &again, 1), MI_OK, "");
  TRUE(again == out[0]);
  /* What fails changes nothing. */
  const double before = out[0];
  EXPECT(mi_engine_predict_f32(engine, T, F, NULL, "AAPL", MI_VALUE, rows, WIDTH - 1, out, 1), MI_SHAPE_MISMATCH, "5 columns");
  EXPECT(mi_engine_predict_f32(engine, T, F, NULL, "AAPL", MI_VALUE, rows, WIDTH, out, 2), MI_SHAPE_MISMATCH, "2 numbers");
  EXPECT(mi_engine_predict_f32(engine, T, F, NULL, "AAPL", 77, rows, WIDTH, out, 1), MI_INVALID_ARGUMENT, "77");
  TRUE(out[0] == before);
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, "AAPL", MI_VALUE, 0, &again, 1), MI_OK, "");
  TRUE(again == before);
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, NULL, MI_VALUE, 0, &again, 1), MI_SEQUENCE_REQUIRED, "symbol");
  EXPECT(mi_engine_predict_window(engine, T, "cnn1d", NULL, "A", MI_VALUE, 0, &again, 1), MI_UNSUPPORTED, "no windows");
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, "A", MI_VALUE, 0, NULL, 1), MI_INVALID_ARGUMENT, "out is NULL");
  EXPECT(mi_engine_predict_sequence_f32(engine, T, F, NULL, NULL, MI_VALUE, rows, 1, 7, WIDTH, &whole, 1), MI_SHAPE_MISMATCH, "7 steps");
  EXPECT(mi_engine_predict_sequence_f32(engine, T, F, NULL, NULL, MI_VALUE, rows, SIZE_MAX, 7, WIDTH, &whole, 1),
         MI_SHAPE_MISMATCH, "pass any memory");
  EXPECT(mi_engine_predict_sequence_f32(NULL, T, F, NULL, NULL, MI_VALUE, rows, 1, 7, WIDTH, &whole, 1), MI_INVALID_ARGUMENT,
         "engine is NULL");
  /* Features that a network takes as a sequence of one channel: as a row, and as that sequence. */
  EXPECT(mi_engine_predict_f32(engine, T, "cnn1d", NULL, NULL, MI_VALUE, rows, WIDTH, &whole, 1), MI_OK, "");
  EXPECT(mi_engine_predict_sequence_f32(engine, T, "cnn1d", NULL, NULL, MI_VALUE, rows, 1, WIDTH, 1, &again, 1), MI_OK, "");
  TRUE(whole == again);
}

static void many(const mi_engine *engine) {
  const char *const symbols[SYMBOLS] = {"ONE", "TWO", "AAPL"};
  double out[SYMBOLS] = {7.0, 7.0, 7.0}, single = 0.0;
  mi_status statuses[SYMBOLS] = {99, 99, 99};
  size_t answered = 99;
  float three[SYMBOLS * WIDTH];
  for (int i = 0; i < SYMBOLS; ++i) memcpy(three + i * WIDTH, rows + i * WIDTH, WIDTH * sizeof(float));
  EXPECT(mi_engine_predict_symbols_f32(engine, T, F, NULL, symbols, SYMBOLS, MI_VALUE, three, WIDTH, 0, out, statuses, SYMBOLS,
                                       &answered), MI_OK, "");
  TRUE(answered == 1 && isnan(out[0]) && isnan(out[1]) && isfinite(out[2]));
  TRUE(statuses[0] == MI_NOT_READY && statuses[1] == MI_NOT_READY && statuses[2] == MI_OK);
  size_t accepted = 0;
  EXPECT(mi_engine_warm_up(engine, T, F, NULL, "ONE", rows, STEPS, WIDTH, NULL, &accepted), MI_OK, "");
  TRUE(accepted == STEPS);
  EXPECT(mi_engine_warm_up(engine, T, F, NULL, "TWO", rows, 2 * STEPS, WIDTH, NULL, NULL), MI_OK, "");
  EXPECT(mi_engine_predict_symbols_f32(engine, T, F, NULL, symbols, SYMBOLS, MI_VALUE, NULL, 0, 0, out, NULL, SYMBOLS, NULL), MI_OK, "");
  for (int i = 0; i < SYMBOLS; ++i) {
    EXPECT(mi_engine_predict_window(engine, T, F, NULL, symbols[i], MI_VALUE, 0, &single, 1), MI_OK, "");
    TRUE(fabs(single - out[i]) <= 1e-6);
  }
  EXPECT(mi_engine_predict_symbols_f64(engine, T, F, NULL, symbols, SYMBOLS, MI_VALUE, wide, WIDTH, 0, out, statuses, SYMBOLS,
                                       &answered), MI_OK, "");
  TRUE(answered == SYMBOLS && statuses[0] == MI_OK);
  out[0] = 7.0;
  EXPECT(mi_engine_predict_symbols_f64(engine, T, F, NULL, symbols, SYMBOLS, MI_VALUE, wide, WIDTH, 0, out, NULL, 2, NULL),
         MI_SHAPE_MISMATCH, "3 symbols");
  EXPECT(mi_engine_predict_symbols_f64(engine, T, F, NULL, symbols, SYMBOLS, MI_VALUE, wide, 5, 0, out, NULL, 3, NULL),
         MI_SHAPE_MISMATCH, "5 columns");
  EXPECT(mi_engine_predict_symbols_f64(engine, T, F, NULL, symbols, SIZE_MAX, MI_VALUE, wide, 5, 0, out, NULL, 3, NULL),
         MI_SHAPE_MISMATCH, "pass any memory");
  EXPECT(mi_engine_predict_symbols_f64(engine, T, F, NULL, NULL, SYMBOLS, MI_VALUE, wide, WIDTH, 0, out, NULL, 3, NULL),
         MI_INVALID_ARGUMENT, "symbols is NULL");
  const char *const hole[2] = {"A", NULL};
  EXPECT(mi_engine_predict_symbols_f64(engine, T, F, NULL, hole, 2, MI_VALUE, wide, WIDTH, 0, out, NULL, 2, NULL),
         MI_INVALID_ARGUMENT, "symbols is NULL");
  EXPECT(mi_engine_predict_symbols_f32(engine, T, "cnn1d", NULL, symbols, SYMBOLS, MI_VALUE, NULL, 0, 0, out, NULL, 3, NULL),
         MI_INVALID_ARGUMENT, "give a row");
  TRUE(out[0] == 7.0);
  EXPECT(mi_engine_warm_up(engine, T, F, NULL, "ONE", rows, 2, 5, NULL, NULL), MI_SHAPE_MISMATCH, "5 columns");
  EXPECT(mi_engine_warm_up(engine, T, F, NULL, NULL, rows, 2, WIDTH, NULL, NULL), MI_SEQUENCE_REQUIRED, "symbol");
  EXPECT(mi_engine_warm_up(engine, T, F, NULL, "ONE", NULL, 2, WIDTH, NULL, NULL), MI_INVALID_ARGUMENT, "rows is NULL");
  EXPECT(mi_engine_warm_up(engine, T, F, NULL, "ONE", rows, SIZE_MAX, WIDTH, NULL, NULL), MI_SHAPE_MISMATCH, "pass any memory");
}

static void windows(const mi_engine *engine) {
  mi_buffer *buffer = NULL;
  EXPECT(mi_engine_buffer(engine, T, "cnn1d", NULL, NULL, &buffer), MI_UNSUPPORTED, "no windows");
  EXPECT(mi_engine_buffer(engine, T, F, NULL, NULL, NULL), MI_INVALID_ARGUMENT, "out_buffer is NULL");
  TRUE(buffer == NULL);
  EXPECT(mi_engine_buffer(engine, T, F, NULL, NULL, &buffer), MI_OK, "");
  TRUE(mi_buffer_sequence_length(buffer) == STEPS && mi_buffer_feature_count(buffer) == WIDTH);
  double out = 7.0;
  int64_t times[STEPS];
  for (int i = 0; i < STEPS; ++i) times[i] = NOON + i;
  EXPECT(mi_engine_warm_up(engine, T, F, NULL, "OLD", rows, STEPS, WIDTH, times, NULL), MI_OK, "");
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, "OLD", MI_VALUE, NOON + SECOND, &out, 1), MI_OK, "");
  TRUE(isfinite(out));
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, "OLD", MI_VALUE, 0, &out, 1), MI_STALE, "OLD");
  TRUE(isnan(out));
  EXPECT(mi_engine_reset(engine, T, F, NULL, "OLD"), MI_OK, "");
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, "OLD", MI_VALUE, 0, &out, 1), MI_NOT_READY, "0 of the 12");
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, "AAPL", MI_VALUE, 0, &out, 1), MI_OK, "");
  EXPECT(mi_engine_reset(engine, NULL, NULL, NULL, NULL), MI_OK, "");
  EXPECT(mi_engine_predict_window(engine, T, F, NULL, "AAPL", MI_VALUE, 0, &out, 1), MI_NOT_READY, "0 of the 12");
  EXPECT(mi_engine_reset(engine, T, "gru", NULL, NULL), MI_NOT_FOUND, "gru");
  EXPECT(mi_engine_reset(NULL, NULL, NULL, NULL, NULL), MI_INVALID_ARGUMENT, "engine is NULL");
  mi_buffer_free(buffer);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  for (int i = 0; i < 2 * STEPS * WIDTH; ++i) wide[i] = rows[i] = (float)(i % 17) / 16.0f - 0.5f;
  mi_loader *loader = NULL;
  mi_engine *engine = NULL;
  mi_buffer *kept = NULL;
  EXPECT(mi_loader_open(argv[1], NULL, &loader), MI_OK, "");
  options(loader);
  EXPECT(mi_engine_new(loader, NULL, &engine), MI_OK, "");
  mi_loader_free(loader);
  filling(engine);
  many(engine);
  windows(engine);
  EXPECT(mi_engine_buffer(engine, T, F, NULL, NULL, &kept), MI_OK, "");
  mi_engine_free(engine);
  EXPECT(mi_buffer_push(kept, "AAPL", rows, WIDTH, 0), MI_OK, "");
  mi_buffer_free(kept);
  return 0;
}
