/* Misuse is a status and a sentence, never a crash; outputs are untouched on failure.
 *
 *   misuse MODEL RUN_ROOT
 */
#include "expect.h"

#include <math.h>

static void models(const char *path) {
  mi_model *model = (mi_model *)&model;
  mi_model *const before = model;
  EXPECT(mi_model_open(NULL, NULL, &model), MI_INVALID_ARGUMENT, "path is NULL");
  EXPECT(mi_model_open("/no/such/file", NULL, &model), MI_NOT_FOUND, "/no/such/file");
  EXPECT(mi_model_open("/", NULL, &model), MI_UNSUPPORTED, "/");
  EXPECT(mi_model_open("\xff\xfe", NULL, &model), MI_INVALID_ARGUMENT, "UTF-8");
  EXPECT(mi_model_open(path, NULL, NULL), MI_INVALID_ARGUMENT, "out_model is NULL");
  EXPECT(mi_model_open_memory("hello", 5, NULL, &model), MI_MALFORMED, "hello");
  EXPECT(mi_model_open_memory(NULL, 5, NULL, &model), MI_INVALID_ARGUMENT, "bytes is NULL");
  EXPECT(mi_model_open_memory(NULL, 0, NULL, &model), MI_MALFORMED, "empty");
  mi_model_options options;
  memset(&options, 0, sizeof options);
  EXPECT(mi_model_open(path, &options, &model), MI_INVALID_ARGUMENT, "_options_init");
  mi_model_options_init(&options);
  options.iteration_begin = 1000000;
  EXPECT(mi_model_open(path, &options, &model), MI_INVALID_ARGUMENT, "1000000");
  TRUE(model == before);

  EXPECT(mi_model_open(path, NULL, &model), MI_OK, "");
  const size_t columns = mi_model_feature_count(model);
  size_t answers = 77;
  EXPECT(mi_model_outputs(model, 99, &answers), MI_INVALID_ARGUMENT, "99");
  EXPECT(mi_model_outputs(model, MI_CONTRIBUTION, &answers), MI_UNSUPPORTED, "SHAP");
  TRUE(answers == 77);
  EXPECT(mi_model_outputs(model, MI_VALUE, &answers), MI_OK, "");
  double *x = calloc(columns + 1, sizeof *x), *out = calloc(answers + 1, sizeof *out);
  out[0] = 42.0;
  EXPECT(mi_model_predict_f64(NULL, MI_VALUE, x, 1, columns, out, answers), MI_INVALID_ARGUMENT, "model is NULL");
  EXPECT(mi_model_predict_f64(model, MI_VALUE, NULL, 1, columns, out, answers), MI_INVALID_ARGUMENT, "x is NULL");
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, 1, columns, NULL, answers), MI_INVALID_ARGUMENT, "out is NULL");
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, 1, columns + 1, out, answers), MI_SHAPE_MISMATCH, "columns");
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, 1, columns, out, answers + 1), MI_SHAPE_MISMATCH, "room");
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, SIZE_MAX, 2, out, answers), MI_SHAPE_MISMATCH, "memory");
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, SIZE_MAX / 8, 1, out, answers), MI_INVALID_ARGUMENT, "elements");
  EXPECT(mi_model_predict_f64(model, 5000, x, 1, columns, out, answers), MI_INVALID_ARGUMENT, "5000");
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, 1, columns, x, answers), MI_INVALID_ARGUMENT, "overlaps");
  const float *steps = (const float *)x; /* zeros, whatever their type */
  EXPECT(mi_model_predict_sequence_f32(model, MI_VALUE, NULL, 1, 1, 1, out, 1), MI_INVALID_ARGUMENT, "x is NULL");
  EXPECT(mi_model_predict_sequence_f32(model, MI_VALUE, steps, 1, SIZE_MAX, 2, out, 1), MI_SHAPE_MISMATCH, "memory");
  EXPECT(mi_model_predict_sequence_f32(model, MI_VALUE, steps, 1, 2, columns, out, answers), MI_UNSUPPORTED, "sequence");
  const char *word[] = {"a", NULL};
  EXPECT(mi_model_predict_categorical_f64(model, MI_VALUE, x, 1, columns, word, 1, out, answers), MI_SHAPE_MISMATCH, "categories");
  EXPECT(mi_model_predict_categorical_f64(model, MI_VALUE, x, 1, columns, NULL, 1, out, answers), MI_INVALID_ARGUMENT, "categories is NULL");
  EXPECT(mi_model_predict_categorical_f64(model, MI_VALUE, x, SIZE_MAX, columns, word, 2, out, answers), MI_SHAPE_MISMATCH, "memory");
  EXPECT(mi_model_importance(model, 9, out, 1), MI_INVALID_ARGUMENT, "9");
  EXPECT(mi_model_importance(model, MI_SPLIT, out, columns + 1), MI_SHAPE_MISMATCH, "room");
  EXPECT(mi_model_prefetch(NULL), MI_INVALID_ARGUMENT, "model is NULL");
  EXPECT(mi_model_prefetch(model), MI_OK, "");
  TRUE(out[0] == 42.0);
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, 1, columns, out, answers), MI_OK, "");
  TRUE(out[0] != 42.0);
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, 0, columns, out, 0), MI_OK, "");

  TRUE(strchr(mi_model_json(model), '{') == mi_model_json(model));
  TRUE(mi_model_feature_name(model, columns) == NULL);
  TRUE(mi_model_sequence_length(model) == 0);
  mi_model *again = mi_model_retain(model);
  TRUE(again == model);
  mi_model_free(model);
  EXPECT(mi_model_predict_f64(again, MI_VALUE, x, 1, columns, out, answers), MI_OK, "");
  mi_model_free(again);
  free(x);
  free(out);

  TRUE(mi_model_json(NULL) == NULL && mi_model_feature_count(NULL) == 0 && mi_model_retain(NULL) == NULL);
  TRUE(mi_model_categorical_count(NULL) == 0 && mi_model_categorical_column(NULL, 0) == SIZE_MAX);
  TRUE(mi_strings_count(NULL) == 0 && mi_strings_at(NULL, 0) == NULL);
  mi_model_free(NULL);
  mi_strings_free(NULL);
  mi_loader_free(NULL);
  mi_engine_free(NULL);
  mi_model_options_init(NULL);
}

static void runs(const char *root) {
  mi_loader *loader = NULL;
  mi_engine *engine = NULL;
  mi_model *model = NULL, *same = NULL;
  mi_strings *strings = NULL;
  EXPECT(mi_loader_open("/no/such/run", NULL, &loader), MI_NOT_FOUND, "/no/such/run");
  EXPECT(mi_loader_open(root, NULL, NULL), MI_INVALID_ARGUMENT, "out_loader");
  EXPECT(mi_loader_targets(NULL, &strings), MI_INVALID_ARGUMENT, "loader is NULL");
  EXPECT(mi_engine_new(NULL, NULL, &engine), MI_INVALID_ARGUMENT, "loader is NULL");
  EXPECT(mi_loader_open(root, NULL, &loader), MI_OK, "");
  EXPECT(mi_loader_load(loader, "no_such_target", "lightgbm", NULL, NULL, &model), MI_NOT_FOUND, "no_such_target");
  EXPECT(mi_loader_load(loader, "../..", "lightgbm", NULL, NULL, &model), MI_INVALID_ARGUMENT, "a path");
  TRUE(model == NULL);

  EXPECT(mi_loader_targets(loader, &strings), MI_OK, "");
  TRUE(mi_strings_count(strings) > 0 && mi_strings_at(strings, mi_strings_count(strings)) == NULL);
  char target[256];
  snprintf(target, sizeof target, "%s", mi_strings_at(strings, 0));
  mi_strings_free(strings);
  EXPECT(mi_loader_load(loader, target, "no_such_family", NULL, NULL, &model), MI_NOT_FOUND, "no_such_family");
  EXPECT(mi_loader_load(loader, target, NULL, NULL, NULL, &model), MI_INVALID_ARGUMENT, "family is NULL");
  EXPECT(mi_loader_load(loader, target, "LightGBM", NULL, NULL, &model), MI_OK, "");
  EXPECT(mi_loader_load(loader, target, "lgb", NULL, NULL, &same), MI_OK, "");
  TRUE(model == same);
  mi_model_free(same);

  EXPECT(mi_engine_new(loader, NULL, &engine), MI_OK, "");
  mi_loader_free(loader);
  const size_t columns = mi_model_feature_count(model);
  double *x = calloc(columns + 1, sizeof *x), direct = 0.0, named = 1.0;
  float *single = calloc(columns + 1, sizeof *single);
  EXPECT(mi_engine_predict_f64(engine, target, "lightgbm", NULL, NULL, MI_VALUE, x, columns + 1, &named, 1),
         MI_SHAPE_MISMATCH, "columns");
  TRUE(named == 1.0);
  EXPECT(mi_model_predict_f64(model, MI_VALUE, x, 1, columns, &direct, 1), MI_OK, "");
  EXPECT(mi_engine_predict_f64(engine, target, "lightgbm", NULL, NULL, MI_VALUE, x, columns, &named, 1), MI_OK, "");
  TRUE(direct == named);
  EXPECT(mi_engine_predict_f32(engine, target, "lightgbm", NULL, NULL, MI_VALUE, single, columns, &named, 1), MI_OK, "");
  TRUE(direct == named);
  mi_model_free(model);

  EXPECT(mi_engine_families(engine, target, NULL, NULL, &strings), MI_OK, "");
  const size_t families = mi_strings_count(strings);
  mi_strings_free(strings);
  double *out = calloc(families, sizeof *out);
  mi_status *statuses = calloc(families, sizeof *statuses);
  size_t answered = 0;
  EXPECT(mi_engine_predict_all_f64(engine, target, NULL, NULL, MI_VALUE, x, columns, out, statuses, families, &answered), MI_OK, "");
  TRUE(answered == families);
  EXPECT(mi_engine_predict_all_f64(engine, target, NULL, NULL, MI_VALUE, x, columns + 1, out, statuses, families, &answered), MI_OK, "");
  TRUE(answered == 0 && statuses[0] == MI_SHAPE_MISMATCH && isnan(out[0]));
  EXPECT(mi_engine_predict_all_f64(engine, target, NULL, NULL, MI_VALUE, x, columns, out, NULL, families + 1, NULL), MI_SHAPE_MISMATCH, "");
  const char *family = NULL;
  EXPECT(mi_engine_predict_fallback_f64(engine, target, NULL, NULL, MI_VALUE, x, columns, &named, 1, &family), MI_OK, "");
  TRUE(strcmp(family, "lightgbm") == 0 && named == direct);
  mi_engine_free(engine);
  free(out);
  free(statuses);
  free(single);
  free(x);
}

static void last_error(void) {
  char text[8] = "";
  size_t needed = 0;
  mi_model *model = NULL;
  EXPECT(mi_model_open(NULL, NULL, &model), MI_INVALID_ARGUMENT, "path is NULL");
  EXPECT(mi_last_error_take(NULL, 0, &needed), MI_OK, "");
  TRUE(needed == sizeof "path is NULL" && strcmp(mi_last_error(), "path is NULL") == 0);
  EXPECT(mi_last_error_take(text, sizeof text, &needed), MI_OK, "");
  TRUE(strcmp(text, "path is") == 0 && strcmp(mi_last_error(), "") == 0);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  TRUE(strcmp(mi_last_error(), "") == 0);
  models(argv[1]);
  runs(argv[2]);
  last_error();
  return 0;
}
