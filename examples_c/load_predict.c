/* Opens a model file and predicts one row: the numbers on the command line, `nan` for a missing one.
 *
 *   cc load_predict.c -lmi -o load_predict && ./load_predict model.txt 0.01 nan 55.2
 */
#include <mi.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *doing, mi_status status) {
  fprintf(stderr, "%s: %s: %s\n", doing, mi_status_name(status), mi_last_error());
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: %s MODEL FEATURE...\n", argv[0]), 2;

  mi_model *model = NULL;
  mi_status status = mi_model_open(argv[1], NULL, &model);
  if (status != MI_OK) return fail("open", status);

  size_t columns = (size_t)argc - 2, answers = 0;
  double *row = calloc(columns, sizeof *row);
  for (size_t i = 0; i < columns; ++i) row[i] = strtod(argv[i + 2], NULL);

  status = mi_model_outputs(model, MI_VALUE, &answers);
  double *out = calloc(answers, sizeof *out);
  if (status == MI_OK) status = mi_model_predict_f64(model, MI_VALUE, row, 1, columns, out, answers);
  if (status == MI_OK)
    for (size_t i = 0; i < answers; ++i) printf("%.17g\n", out[i]);

  free(out);
  free(row);
  mi_model_free(model);
  return status == MI_OK ? 0 : fail("predict", status);
}
