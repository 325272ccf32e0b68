/**
 * Clocks of hosts that are wrong: a library between a program and libc that adds to the time of the
 * day. Clocks that only count go on as they are, and so do the times of files, as on a file server.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.js';

const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *now) {
  static int (*own)(clockid_t, struct timespec *);
  if (own == 0) own = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int failed = own(id, now);
  if (failed == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += SHIFT;
  return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != 0) *out = now.tv_sec;
  return now.tv_sec;
}
`;

/** Name of the program that builds the library. */
export const compiler = 'cc';

/** Builds the library. @returns the environment in which programs have the shifted clock. */
export function shiftedClock(folder: string, seconds: number): { LD_PRELOAD: string } {
  const [code, library] = [join(folder, 'clock.c'), join(folder, 'clock.so')];
  writeFileSync(code, source);
  const options = ['-shared', '-fPIC', '-O1', `-DSHIFT=${seconds}`, '-o', library, code, '-ldl'];
  runCommand(compiler, ...options);
  return { LD_PRELOAD: library };
}
