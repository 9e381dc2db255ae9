/* Loads the library by dlopen, uses it on a thread, closes it, and ends the thread afterwards.
 *
 *   unload LIBRARY
 */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef int32_t (*open_function)(const char *, const void *, void **);

static void *library;
static pthread_barrier_t used, closed;

static void *worker(void *unused) {
  open_function open_model;
  *(void **)&open_model = dlsym(library, "mi_model_open");
  void *model = NULL;
  open_model("/no/such/file", NULL, &model);  /* makes thread-local state */
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&closed);
  return unused;
}

int main(int argc, char **argv) {
  if (argc != 2 || !(library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL))) return fprintf(stderr, "%s\n", dlerror()), 2;
  pthread_t thread;
  pthread_barrier_init(&used, NULL, 2);
  pthread_barrier_init(&closed, NULL, 2);
  pthread_create(&thread, NULL, worker, NULL);
  pthread_barrier_wait(&used);
  if (dlclose(library) != 0) return 3;
  pthread_barrier_wait(&closed);
  pthread_join(thread, NULL);
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  return library ? 0 : 4;
}
