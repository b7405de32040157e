// Preloaded into cairnd by the end-to-end tests: syncing fails, takes its time or does nothing, as the file
// named by CAIRN_SHIM_CONTROL says at that moment.
//
//   ok                nothing special (also when the file is missing)
//   eio SUFFIX N      the N-th fdatasync (from 1) since these words were written, of a file whose name ends
//                     in SUFFIX, fails with EIO
//   slow SUFFIX MS    each of them takes MS milliseconds longer
//   skip              fdatasync and fsync of anything return at once, without doing it: to fill a directory
//                     quickly, never to judge what a node promises
//
// Each call that matched is counted in the file CAIRN_SHIM_CONTROL.count (8 bytes, native order).

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static char last_words[128];
static uint64_t seen;

static int ends_with(const char* text, const char* suffix) {
  const size_t length = strlen(text), wanted = strlen(suffix);
  return length >= wanted && strcmp(text + length - wanted, suffix) == 0;
}

static void read_control(char* words, size_t size) {
  const char* path = getenv("CAIRN_SHIM_CONTROL");
  words[0] = 0;
  if (path == NULL) return;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  const ssize_t got = read(file, words, size - 1);
  words[got > 0 ? got : 0] = 0;
  close(file);
}

static void write_count(uint64_t count) {
  char path[4096];
  const char* control = getenv("CAIRN_SHIM_CONTROL");
  if (control == NULL) return;
  snprintf(path, sizeof path, "%s.count", control);
  const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (pwrite(file, &count, sizeof count, 0) < 0) perror("sync_shim");
  close(file);
}

static int skips(void) {
  char words[128];
  read_control(words, sizeof words);
  return strncmp(words, "skip", 4) == 0;
}

// 1: fail; else sleeps as told and returns 0.
static int interfere(int file) {
  char words[128], mode[16] = "", suffix[64] = "", link[64], name[4096];
  long number = 0;
  read_control(words, sizeof words);
  if (sscanf(words, "%15s %63s %ld", mode, suffix, &number) != 3) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, name, sizeof name - 1);
  if (length < 0) return 0;
  name[length] = 0;
  if (!ends_with(name, suffix)) return 0;
  pthread_mutex_lock(&guard);
  if (strcmp(words, last_words) != 0) {
    strcpy(last_words, words);
    seen = 0;
  }
  const uint64_t mine = ++seen;
  write_count(seen);
  pthread_mutex_unlock(&guard);
  if (strcmp(mode, "eio") == 0) return mine == (uint64_t)number;
  if (strcmp(mode, "slow") == 0) {
    struct timespec rest = {number / 1000, (number % 1000) * 1000000L};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
  }
  return 0;
}

int fdatasync(int file) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  if (skips()) return 0;
  if (interfere(file)) {
    errno = EIO;
    return -1;
  }
  return real(file);
}

int fsync(int file) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  return skips() ? 0 : real(file);
}
