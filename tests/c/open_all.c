/* Opens every model it is given and asks it for one row, within a time and a memory; whatever a file holds, the process lives.
 *
 *   open_all SECONDS_EACH MEGABYTES MODEL...
 *
 * Prints a line for each: its status and its name, before and after, so that a crash names its file.
 */
#include <mi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NUMBERS = 1 << 16, ANSWERS = 1 << 14 };

static float x[NUMBERS];
static double out[ANSWERS];

static mi_status ask(const mi_model *model) {
  size_t columns = mi_model_feature_count(model), steps = mi_model_sequence_length(model), answers;
  mi_status status = mi_model_outputs(model, MI_VALUE, &answers);
  if (status != MI_OK) return status;
  if (columns * (steps ? steps : 1) > NUMBERS || answers > ANSWERS) return MI_LIMIT_EXCEEDED;
  return steps ? mi_model_predict_sequence_f32(model, MI_VALUE, x, 1, steps, columns, out, answers)
               : mi_model_predict_f32(model, MI_VALUE, x, 1, columns, out, answers);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const rlim_t bytes = (rlim_t)strtoull(argv[2], NULL, 10) << 20;
  const struct rlimit limit = {bytes, bytes};
  if (bytes && setrlimit(RLIMIT_AS, &limit) != 0) return 3;
  for (int at = 3; at < argc; ++at) {
    printf("open %s\n", argv[at]);
    fflush(stdout);
    alarm((unsigned)strtoul(argv[1], NULL, 10));
    mi_model *model = NULL;
    mi_status status = mi_model_open(argv[at], NULL, &model);
    if (status == MI_OK) status = ask(model);
    printf("done %s %s: %s\n", mi_status_name(status), argv[at], status == MI_OK ? "" : mi_last_error());
    fflush(stdout);
    mi_model_free(model);
  }
  return 0;
}
