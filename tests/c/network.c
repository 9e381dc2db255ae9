/* What a program in C sees of networks.
 *
 *   network missing MODEL TREE   no runtime: networks say so, trees work
 *   network quiet MODEL          no socket, no file, no thread: the kernel kills the process at the first
 *   network shared MODEL         many threads, one session
 *   network choice MODEL RUN     who runs a network that libmi can run itself, alone and in a training run
 *   network search MODEL [RUNTIME]   prints where the runtime was looked for, and why nothing was taken
 */
#define _GNU_SOURCE
#include <mi.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { COLUMNS = 64, ROWS = 8, THREADS = 12, ROUNDS = 400 };

static double x[ROWS * COLUMNS];

static int fail(const char *what) { return fprintf(stderr, "%s: %s\n", what, mi_last_error()), 1; }

static mi_model *opened(const char *path) {
  mi_model_options options;
  mi_model_options_init(&options);
  options.providers = "cpu";
  options.providers_required = 1;
  mi_model *model = NULL;
  return mi_model_open(path, &options, &model) == MI_OK ? model : NULL;
}

static int missing(const char *network, const char *tree) {
  for (int again = 0; again < 2; ++again) {
    mi_model *model = NULL;
    if (mi_model_open(network, NULL, &model) != MI_BACKEND_MISSING || model) return fail("MI_BACKEND_MISSING was expected");
    if (!strstr(mi_last_error(), "ONNX Runtime") || !strstr(mi_last_error(), "make runtime")) return fail("no remedy");
  }
  mi_model *model = NULL;
  double out;
  if (mi_model_open(tree, NULL, &model) != MI_OK) return fail("a tree needs no runtime");
  if (mi_model_predict_f64(model, MI_VALUE, x, 1, mi_model_feature_count(model), &out, 1) != MI_OK) return fail("tree");
  mi_model_free(model);
  return 0;
}

static int quiet(const char *network) {
  /* Whoever asks for a network connection, a thread, a process or a file to write is killed. */
#define REFUSE(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      REFUSE(SYS_socket),
      REFUSE(SYS_socketpair),
      REFUSE(SYS_connect),
      REFUSE(SYS_sendto),
      REFUSE(SYS_sendmsg),
      REFUSE(SYS_clone),
#ifdef SYS_clone3
      REFUSE(SYS_clone3),
#endif
#ifdef SYS_fork
      REFUSE(SYS_fork),
      REFUSE(SYS_vfork),
      REFUSE(SYS_mkdir),
      REFUSE(SYS_creat),
      REFUSE(SYS_open),
#endif
      REFUSE(SYS_execve),
      REFUSE(SYS_mkdirat),
      REFUSE(SYS_ftruncate),
      /* openat is fine, but not for writing. */
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR | O_CREAT, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    return puts("skipped: this kernel filters no system calls"), 0;
  mi_model *model = opened(network);
  if (!model) return fail("open");
  const size_t columns = mi_model_feature_count(model);
  size_t answers;
  if (columns > COLUMNS || mi_model_outputs(model, MI_VALUE, &answers) != MI_OK) return fail("outputs");
  double out[ROWS * COLUMNS];
  for (int i = 0; i < 2000; ++i)
    if (mi_model_predict_f64(model, MI_VALUE, x, ROWS, columns, out, ROWS * answers) != MI_OK) return fail("predict");
  mi_model_free(model);
  return puts("quiet"), 0;
}

struct work {
  const mi_model *model;
  size_t columns, answers;
  const double *expected;
  int wrong;
};

static void *many(void *given) {
  struct work *work = given;
  double out[COLUMNS];
  for (int i = 0; i < ROUNDS; ++i) {
    const int row = i % ROWS;
    if (mi_model_predict_f64(work->model, MI_VALUE, x + (size_t)row * work->columns, 1, work->columns, out, work->answers) != MI_OK ||
        memcmp(out, work->expected + (size_t)row * work->answers, work->answers * sizeof *out) != 0)
      ++work->wrong;
  }
  return NULL;
}

static int shared(const char *network) {
  mi_model *model = opened(network);
  if (!model) return fail("open");
  struct work work = {model, mi_model_feature_count(model), 0, NULL, 0};
  if (work.columns > COLUMNS || mi_model_outputs(model, MI_VALUE, &work.answers) != MI_OK) return fail("outputs");
  double expected[ROWS * COLUMNS];
  for (int i = 0; i < ROWS * COLUMNS; ++i) x[i] = (double)(i % 13) / 8 - 0.5;
  for (size_t row = 0; row < ROWS; ++row)
    if (mi_model_predict_f64(model, MI_VALUE, x + row * work.columns, 1, work.columns, expected + row * work.answers,
                             work.answers) != MI_OK)
      return fail("predict");
  work.expected = expected;
  pthread_t threads[THREADS];
  struct work works[THREADS];
  for (int i = 0; i < THREADS; ++i) {
    works[i] = work;
    if (pthread_create(&threads[i], NULL, many, &works[i]) != 0) return 1;
  }
  int wrong = 0;
  for (int i = 0; i < THREADS; ++i) {
    pthread_join(threads[i], NULL);
    wrong += works[i].wrong;
  }
  mi_model_free(model);
  return wrong ? fail("a thread saw other numbers") : 0;
}

static int search(const char *network, const char *runtime) {
  mi_model_options options;
  mi_model_options_init(&options);
  options.runtime = runtime;
  mi_model *model = NULL;
  const mi_status status = mi_model_open(network, &options, &model);
  printf("%s: %s\n", mi_status_name(status), status == MI_OK ? mi_model_json(model) : mi_last_error());
  mi_model_free(model);
  return 0;
}

/* Whether the JSON of a model says who runs it. */
static int runs(const mi_model *model, const char *who) {
  char expected[32];
  snprintf(expected, sizeof expected, "\"runs\":\"%s\"", who);
  return strstr(mi_model_json(model), expected) != NULL;
}

static int choice(const char *network, const char *run) {
  static const char *const names[][2] = {{NULL, "native"}, {"auto", "native"}, {"native", "native"}, {"runtime", "runtime"}};
  double answers[4][4] = {{0}};
  float rows[COLUMNS];
  for (int i = 0; i < COLUMNS; ++i) rows[i] = (float)(i % 13) / 8 - 0.5f;
  mi_model_options options;
  mi_model_options_init(&options);
  for (int i = 0; i < 4; ++i) {
    options.networks = names[i][0];
    mi_model *model = NULL;
    if (mi_model_open(network, &options, &model) != MI_OK) return fail("open");
    size_t count;
    if (!runs(model, names[i][1]) || mi_model_outputs(model, MI_VALUE, &count) != MI_OK || count > 4) return fail(mi_model_json(model));
    if (mi_model_predict_f32(model, MI_VALUE, rows, 1, mi_model_feature_count(model), answers[i], count) != MI_OK) return fail("predict");
    for (size_t at = 0; at < count; ++at) {
      const double off = answers[i][at] - answers[0][at];
      if (off > 1e-5 || off < -1e-5) return fail("native and runtime differ");
    }
    mi_model_free(model);
  }
  mi_model *model = NULL;
  options.networks = "gpu";
  if (mi_model_open(network, &options, &model) != MI_INVALID_ARGUMENT || !strstr(mi_last_error(), "'gpu' is not known")) return fail("gpu");
  /* What libmi runs itself, it runs on the processor: a provider that is required is not passed over without a word. */
  options.networks = "native";
  options.providers = "cuda";
  options.providers_required = 1;
  if (mi_model_open(network, &options, &model) != MI_BACKEND || !strstr(mi_last_error(), "'cuda' is required")) return fail("required");
  /* A program that was compiled before there was a choice. */
  mi_model_options_init(&options);
  options.networks = "gpu";
  options.struct_size = offsetof(mi_model_options, networks);
  if (mi_model_open(network, &options, &model) != MI_OK || !runs(model, "native")) return fail("an older struct");
  mi_model_free(model);

  for (int i = 0; i < 4; ++i) {
    mi_loader_options of_run;
    mi_loader_options_init(&of_run);
    of_run.networks = names[i][0];
    mi_loader *loader = NULL;
    if (mi_loader_open(run, &of_run, &loader) != MI_OK) return fail("loader");
    if (mi_loader_load(loader, "fwd_ret_5m", "tab_lstm", "SEQUENTIAL", NULL, &model) != MI_OK) return fail("load");
    if (!runs(model, names[i][1])) return fail(mi_model_json(model));
    mi_model_free(model);
    mi_loader_free(loader);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "missing") == 0) return missing(argv[2], argv[3]);
  if (argc == 3 && strcmp(argv[1], "quiet") == 0) return quiet(argv[2]);
  if (argc == 3 && strcmp(argv[1], "shared") == 0) return shared(argv[2]);
  if (argc == 4 && strcmp(argv[1], "choice") == 0) return choice(argv[2], argv[3]);
  if (argc >= 3 && strcmp(argv[1], "search") == 0) return search(argv[2], argc > 3 ? argv[3] : NULL);
  return 2;
}
