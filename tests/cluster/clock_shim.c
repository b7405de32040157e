// Preloaded into cairnd by the cluster tests: its wall clock is what the file named by CAIRN_CLOCK_FILE says.
//
// Wall clock alone, as when an administrator or NTP sets it: CLOCK_MONOTONIC and all that waits by it go on as they
// are, whatever the wall clock does. (libfaketime 0.9.10 will not do: with a jumped clock it also moves absolute
// timers on the monotonic clock, so that one which is due at once never fires, and divides timeouts by the speed.)
//
// Whoever waits until a time of the wall clock would be early or late by the jump: nothing of a node may do so, and
// a process that does is ended here, saying so. Not seen: futexes that are asked for by syscall().
//
// The file: four signed 64-bit numbers in the machine's order: offset_ns, speed_ppm, since_ns and the exclusive or of
// these and k_mark. The clock shows real + offset + (speed - 1) * (real - since). It may be rewritten at any time.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS 1000000000LL
#define PPM 1000000LL

static const int64_t k_mark = 0x636c6f636b; // "clock"

struct setting {
  int64_t offset_ns, speed_ppm, since_ns, check;
};

static const volatile struct setting* shared;
static int (*real_clock_gettime)(clockid_t, struct timespec*);
static int (*real_cond_clockwait)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
static int (*real_clock_nanosleep)(clockid_t, int, const struct timespec*, struct timespec*);
static int (*real_timerfd_create)(int, int);
static int (*real_timer_create)(clockid_t, struct sigevent*, timer_t*);

static void give_up(const char* what) {
  static const char before[] = "clock_shim: check failed: ";
  ssize_t ignored = write(2, before, sizeof before - 1);
  ignored = write(2, what, strlen(what));
  ignored = write(2, "\n", 1);
  (void)ignored;
  abort();
}

static int is_wall_clock(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM;
}

// glibc says in one bit of a condition variable which clock it waits by; begin() looks whether that is so here.
static int waits_by_wall_clock(const pthread_cond_t* cond) {
  return (cond->__data.__wrefs & 2) == 0;
}

static void check_condition_variables(void) {
  pthread_cond_t plain, steady;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_cond_init(&plain, &attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&steady, &attributes);
  if (!waits_by_wall_clock(&plain) || waits_by_wall_clock(&steady))
    give_up("this C library keeps the clock of a condition variable elsewhere");
  pthread_cond_destroy(&plain);
  pthread_cond_destroy(&steady);
  pthread_condattr_destroy(&attributes);
}

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("CAIRN_CLOCK_FILE");
  if (path == NULL) give_up("CAIRN_CLOCK_FILE is not set");
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) give_up("CAIRN_CLOCK_FILE cannot be opened");
  void* mapped = mmap(NULL, sizeof(struct setting), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped == MAP_FAILED) give_up("CAIRN_CLOCK_FILE cannot be mapped");
  *(void**)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  *(void**)&real_cond_clockwait = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
  *(void**)&real_clock_nanosleep = dlsym(RTLD_NEXT, "clock_nanosleep");
  *(void**)&real_timerfd_create = dlsym(RTLD_NEXT, "timerfd_create");
  *(void**)&real_timer_create = dlsym(RTLD_NEXT, "timer_create");
  if (!real_clock_gettime || !real_cond_clockwait || !real_clock_nanosleep || !real_timerfd_create || !real_timer_create)
    give_up("a function of the C library was not found");
  check_condition_variables();
  shared = mapped;
}

static struct setting present(void) {
  for (;;) { // until it is not just being written
    const struct setting s = {shared->offset_ns, shared->speed_ppm, shared->since_ns, shared->check};
    if (s.check == (s.offset_ns ^ s.speed_ppm ^ s.since_ns ^ k_mark)) return s;
  }
}

// --- what the wall clock shows ---------------------------------------------------------------------------------

int clock_gettime(clockid_t clock, struct timespec* out) {
  // Other libraries may ask before begin().
  const int done = real_clock_gettime ? real_clock_gettime(clock, out) : (int)syscall(SYS_clock_gettime, clock, out);
  if (done != 0 || shared == NULL || !is_wall_clock(clock)) return done;
  const struct setting s = present();
  const int64_t real = out->tv_sec * NANOSECONDS + out->tv_nsec;
  const int64_t shown =
      real + s.offset_ns + (int64_t)((__int128)(real - s.since_ns) * (s.speed_ppm - PPM) / PPM);
  out->tv_sec = shown / NANOSECONDS;
  out->tv_nsec = shown % NANOSECONDS;
  return 0;
}

int gettimeofday(struct timeval* restrict out, void* restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec* out, int base) {
  if (base != TIME_UTC) return 0;
  clock_gettime(CLOCK_REALTIME, out);
  return base;
}

// --- who waits by it -------------------------------------------------------------------------------------------

int pthread_cond_clockwait(pthread_cond_t* cond, pthread_mutex_t* mutex, clockid_t clock,
                           const struct timespec* until) {
  if (is_wall_clock(clock)) give_up("a condition variable waits until a time of the wall clock");
  return real_cond_clockwait(cond, mutex, clock, until);
}

int pthread_cond_timedwait(pthread_cond_t* restrict cond, pthread_mutex_t* restrict mutex,
                           const struct timespec* restrict until) {
  if (waits_by_wall_clock(cond)) give_up("a condition variable waits until a time of the wall clock");
  return real_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, until);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec* span, struct timespec* left) {
  if (is_wall_clock(clock) && (flags & TIMER_ABSTIME) != 0) give_up("a thread sleeps until a time of the wall clock");
  return real_clock_nanosleep(clock, flags, span, left);
}

int timerfd_create(int clock, int flags) {
  if (is_wall_clock(clock)) give_up("a timer descriptor goes by the wall clock");
  return real_timerfd_create(clock, flags);
}

int timer_create(clockid_t clock, struct sigevent* restrict event, timer_t* restrict out) {
  if (is_wall_clock(clock)) give_up("a timer goes by the wall clock");
  return real_timer_create(clock, event, out);
}

int sem_timedwait(sem_t* restrict semaphore, const struct timespec* restrict until) {
  (void)semaphore, (void)until;
  give_up("a semaphore waits until a time of the wall clock");
  return -1;
}

int pthread_mutex_timedlock(pthread_mutex_t* restrict mutex, const struct timespec* restrict until) {
  (void)mutex, (void)until;
  give_up("a mutex waits until a time of the wall clock");
  return -1;
}
