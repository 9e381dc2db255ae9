/* A warm predict, of rows and of the sequence of a symbol, a push to a window and reading it allocate nothing and make no system call: the
 * allocator counts, and the kernel kills the process at the first call other than exit.
 *
 *   quiet MODEL RUN_ROOT TARGET FAMILY TEXT_MODEL SEQUENCES_ROOT
 */
#define _GNU_SOURCE
#include <mi.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static volatile unsigned long allocations;

/* The library's allocations resolve to these. */
void *malloc(size_t size) { return ++allocations, __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return ++allocations, __libc_calloc(count, size); }
void *realloc(void *pointer, size_t size) { return ++allocations, __libc_realloc(pointer, size); }
void *memalign(size_t alignment, size_t size) { return ++allocations, __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return ++allocations, __libc_memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
  ++allocations;
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : 12;
}

enum { COLUMNS = 4096, ANSWERS = 4096, ROWS = 40 };

static double x[ROWS * COLUMNS], out[ROWS * ANSWERS];
static float single[ROWS * COLUMNS];
static size_t run_columns; /* of the engine's model */
static const char *run_names[COLUMNS];

static mi_model *text_model;
static const char *texts[ROWS * COLUMNS];

/* Rows of text: known, unknown and missing. */
static int ask_text(int32_t output) {
  size_t answers = 0;
  const mi_status status = mi_model_outputs(text_model, output, &answers);
  if (status != MI_OK) return status;
  return mi_model_predict_categorical_f64(text_model, output, x, ROWS, mi_model_feature_count(text_model), texts,
                                          mi_model_categorical_count(text_model), out, ROWS * answers);
}

enum { STEPS = 16, CHANNELS = 5 };
static const int64_t NOON = INT64_C(1700000000000000000);
static float bar[CHANNELS] = {1.0f, 2.0f, 0.5f, 1.5f, 100.0f}, window[STEPS * CHANNELS];

/* Pushes a bar and reads the window. */
static int push_and_read(const mi_buffer *buffer, int64_t after_noon) {
  return mi_buffer_push(buffer, "AAPL", bar, CHANNELS, NOON + after_noon) |
         mi_buffer_sequence(buffer, "AAPL", NOON, window, STEPS * CHANNELS);
}

static mi_engine *sequences;
static const char *const symbols[3] = {"AAPL", "MSFT", "GOOG"};

/* A network that libmi runs itself: rows by symbol, the window as it is, many symbols in one run, a whole sequence. */
static int ask_sequences(void) {
  static const char *const target = "fwd_ret_5m", *const family = "tab_lstm", *const view = "SEQUENTIAL";
  enum { LOOK_BACK = 9 };
  static float whole[LOOK_BACK * CHANNELS], three[3 * CHANNELS];
  static const double wide[CHANNELS] = {1.0, 2.0, 0.5, 1.5, 100.0};
  double answers[3];
  int status = MI_OK;
  for (int i = 0; i < 3; ++i) {
    status |= mi_engine_predict_f32(sequences, target, family, view, symbols[i], MI_VALUE, bar, CHANNELS, answers, 1);
    status |= mi_engine_predict_f64(sequences, target, family, view, symbols[i], MI_VALUE, wide, CHANNELS, answers, 1);
  }
  status |= mi_engine_predict_window(sequences, target, family, view, symbols[0], MI_VALUE, 0, answers, 1);
  status |= mi_engine_predict_symbols_f32(sequences, target, family, view, symbols, 3, MI_VALUE, three, CHANNELS, 0, answers, NULL, 3, NULL);
  status |= mi_engine_predict_sequence_f32(sequences, target, family, view, NULL, MI_VALUE, whole, 1, LOOK_BACK, CHANNELS, answers, 1);
  return status;
}

static int ask_named(const mi_engine *engine, const char *target, const char *family) {
  return mi_engine_predict_named_f64(engine, target, family, NULL, NULL, MI_VALUE, run_names, x, run_columns, out, 1);
}

static int every_call(const mi_model *model, const mi_engine *engine, const char *target, const char *family) {
  const size_t columns = mi_model_feature_count(model);
  for (int32_t output = MI_VALUE; output <= MI_LEAF; ++output) {
    size_t answers;
    if (mi_model_outputs(model, output, &answers) != MI_OK) continue;
    if (mi_model_predict_f64(model, output, x, ROWS, columns, out, ROWS * answers) != MI_OK) return 10 + output;
    if (mi_model_predict_f32(model, output, single, ROWS, columns, out, ROWS * answers) != MI_OK) return 20 + output;
  }
  if (mi_engine_predict_f64(engine, target, family, NULL, NULL, MI_VALUE, x, run_columns, out, 1) != MI_OK) return 30;
  if (ask_named(engine, target, family) != MI_OK) return 31;
  if (mi_model_categorical_count(text_model) == 0 || ask_text(MI_VALUE) != MI_OK || ask_text(MI_PROBABILITY) != MI_OK) return 40;
  return 0;
}

/* From here on every system call but exit ends the process. A filter, for the strict mode takes away the processor's clock as well, from
 * which the time is read without a call. */
static int refuse_calls(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0;
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  for (size_t i = 0; i < ROWS * COLUMNS; ++i) texts[i] = i % 3 == 0 ? "long" : i % 3 == 1 ? "never seen" : NULL;
  mi_model *model = NULL, *of_run = NULL;
  mi_loader *loader = NULL, *sequences_loader = NULL;
  mi_engine *engine = NULL;
  mi_buffer *buffer = NULL;
  mi_buffer_options options;
  mi_buffer_options_init(&options);
  options.normalization = MI_NORMALIZE_LOG_RETURNS;
  options.warmup_rows = 1;
  if (mi_model_open(argv[1], NULL, &model) != MI_OK || mi_loader_open(argv[2], NULL, &loader) != MI_OK ||
      mi_model_open(argv[5], NULL, &text_model) != MI_OK ||
      mi_loader_load(loader, argv[3], argv[4], NULL, NULL, &of_run) != MI_OK || mi_engine_new(loader, NULL, &engine) != MI_OK ||
      mi_loader_open(argv[6], NULL, &sequences_loader) != MI_OK || mi_engine_new(sequences_loader, NULL, &sequences) != MI_OK ||
      mi_buffer_new(STEPS, CHANNELS, &options, &buffer) != MI_OK || push_and_read(buffer, 0) != MI_OK)
    return fprintf(stderr, "%s\n", mi_last_error()), 3;
  run_columns = mi_model_feature_count(of_run);
  for (size_t i = 0; i < run_columns; ++i) run_names[i] = mi_model_feature_name(of_run, i);

  /* Outputs that a model lacks cost an error text; ask for them once here, outside of the count. */
  int wrong = every_call(model, engine, argv[3], argv[4]);
  if (wrong) return fprintf(stderr, "call %d: %s\n", wrong, mi_last_error()), 4;
  /* The windows fill: MI_NOT_READY at first. */
  for (int i = 0; i < 10; ++i) wrong = ask_sequences();
  if (wrong) return fprintf(stderr, "sequences: %s\n", mi_last_error()), 4;
  const size_t columns = mi_model_feature_count(model);
  const unsigned long before = allocations;
  for (int i = 0; i < 1000; ++i) {
    mi_model_predict_f64(model, MI_VALUE, x, ROWS, columns, out, ROWS);
    mi_model_predict_f32(model, MI_RAW, single, ROWS, columns, out, ROWS);
    mi_engine_predict_f64(engine, argv[3], argv[4], NULL, NULL, MI_VALUE, x, run_columns, out, 1);
    ask_text(MI_VALUE);
    if (push_and_read(buffer, i) != MI_OK || ask_sequences() != MI_OK || ask_named(engine, argv[3], argv[4]) != MI_OK) return 9;
  }
  if (allocations != before) return fprintf(stderr, "%lu allocations in 16000 warm calls\n", allocations - before), 5;

  const pid_t child = fork();
  if (child == 0) {
    if (refuse_calls()) syscall(SYS_exit, 77);
    int status = 0;
    for (int i = 0; i < 1000; ++i) {
      status |= mi_model_predict_f64(model, MI_VALUE, x, ROWS, columns, out, ROWS);
      status |= mi_engine_predict_f64(engine, argv[3], argv[4], NULL, NULL, MI_VALUE, x, run_columns, out, 1);
      status |= ask_text(MI_VALUE);
      status |= push_and_read(buffer, 1000 + i);
      status |= ask_sequences() | ask_named(engine, argv[3], argv[4]);
    }
    syscall(SYS_exit, status == MI_OK ? 0 : 6);
  }
  int state = 0;
  waitpid(child, &state, 0);
  if (WIFSIGNALED(state)) return fprintf(stderr, "a warm call made a system call\n"), 7;
  if (WEXITSTATUS(state) == 77) puts("skipped: this kernel filters no system calls");
  else if (WEXITSTATUS(state) != 0) return 8;
  mi_buffer_free(buffer);
  mi_engine_free(sequences);
  mi_engine_free(engine);
  mi_loader_free(sequences_loader);
  mi_loader_free(loader);
  mi_model_free(of_run);
  mi_model_free(text_model);
  mi_model_free(model);
  return 0;
}
