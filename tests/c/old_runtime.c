/* A library that says it is ONNX Runtime of the version VERSION, and has no interface that is new enough. */
#include <stddef.h>
#include <stdint.h>

static const void *interface(uint32_t version) {
  (void)version;
  return NULL;
}

static const char *version(void) { return VERSION; }

struct base {
  const void *(*interface)(uint32_t);
  const char *(*version)(void);
};

const struct base *OrtGetApiBase(void);

const struct base *OrtGetApiBase(void) {
  static const struct base base = {interface, version};
  return &base;
}
