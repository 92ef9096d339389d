// A clock that jumps, for a program's own eyes only: preloaded, or linked into it, this stands before the C library's.
// $LOOKUPFFN_TEST_CLOCK says which: "realtime" is set hours back and forth between any two calls, as by somebody who
// sets the date; "monotonic" jumps too, as on a virtual machine that is broken. Without it nothing jumps.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const long long kSecond = 1000000000;

static int jumps(const char* clock) {
  const char* which = getenv("LOOKUPFFN_TEST_CLOCK");
  return which != NULL && strcmp(which, clock) == 0;
}

static long long true_ns(clockid_t clock) {
  struct timespec t = {0, 0};
  syscall(SYS_clock_gettime, clock, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

// How far the date is off at this call.
static long long realtime_offset(void) {
  static const int hours[] = {5, -3, 26, -48, 1};
  static unsigned calls = 0;
  return hours[__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 5] * 3600 * kSecond;
}

// The monotonic clock's jumps follow true time, one every 30 ms, so that they hit whatever takes time; that of the
// fraction of a millisecond leaves a timed call with a time that is wrong but not negative.
static long long monotonic_offset(long long now) {
  static const long long jump[] = {900 * kSecond, -700000, -3 * kSecond, 1000 * kSecond};
  static const long long every = 30000000;
  static long long start = 0;
  long long none = 0;
  __atomic_compare_exchange_n(&start, &none, now, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  const long long count = (now - __atomic_load_n(&start, __ATOMIC_RELAXED)) / every;
  long long offset = count / 4 * (jump[0] + jump[1] + jump[2] + jump[3]);
  for (long long i = 0; i < count % 4; ++i) offset += jump[i];
  return offset;
}

static long long shown_ns(clockid_t clock) {
  const long long now = true_ns(clock);
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      return now + (jumps("realtime") ? realtime_offset() : 0);
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
      return now + (jumps("monotonic") ? monotonic_offset(true_ns(CLOCK_MONOTONIC)) : 0);
    default:
      return now;
  }
}

int clock_gettime(clockid_t clock, struct timespec* t) {
  if (syscall(SYS_clock_gettime, clock, t) != 0) return -1;
  const long long ns = shown_ns(clock);
  t->tv_sec = ns / kSecond;
  t->tv_nsec = ns % kSecond;
  return 0;
}

int gettimeofday(struct timeval* restrict t, void* restrict zone) {
  (void)zone;
  const long long ns = shown_ns(CLOCK_REALTIME);
  t->tv_sec = ns / kSecond;
  t->tv_usec = ns % kSecond / 1000;
  return 0;
}

time_t time(time_t* t) {
  const time_t now = shown_ns(CLOCK_REALTIME) / kSecond;
  if (t != NULL) *t = now;
  return now;
}
