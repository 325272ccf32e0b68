// Faults of the operating system, for tests: preloaded into a process (LD_PRELOAD) and its children.
//
// The file that SYSTEM_FAULTS names has a rule on each line and may be replaced at any time, which
// begins all counts anew:
//
//   CALL PATTERN FIRST COUNT error NUMBER   the call fails with this errno
//   CALL PATTERN FIRST COUNT delay MS       the call takes longer
//   CALL PATTERN FIRST COUNT kill before    SIGKILL before the call, or `after` it
//   clock SECONDS                           the wall clock is off by so much
//
// CALL is open, write, fsync, truncate, rename, unlink, mkdir, link, or `any` for one of these. PATTERN is
// that of fnmatch for the whole path; of a rename or link it is the new one. The rule holds from the
// FIRST matching call of a process on, for COUNT calls; 0: for ever.
//
// To the file that SYSTEM_FAULTS_LOG names every call on a path that SYSTEM_FAULTS_LOGGED matches is
// appended, before it is made: its name and path.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MOST_RULES = 32, PATH_BYTES = 4096 };

typedef struct {
  char call[16];
  char pattern[512];
  long first, count, seen;
  char action[16];
  char argument[16];
} Rule;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Rule rules[MOST_RULES];
static int rule_count = 0;
static struct timespec read_at;
static ino_t read_inode;
static volatile long clock_shift = 0;
static int kill_after = 0;
/// Whether this thread has the lock: handlers of signals, which interrupt it, call functions below.
static __thread volatile int inside __attribute__((tls_model("initial-exec"))) = 0;

static void read_rules(const char *file) {
  int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
  char text[16384];
  long length = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);
  if (fd >= 0) syscall(SYS_close, fd);
  text[length < 0 ? 0 : length] = 0;
  rule_count = 0;
  long shift = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    if (sscanf(line, "clock %ld", &shift) == 1 || rule_count == MOST_RULES) continue;
    Rule *rule = &rules[rule_count];
    memset(rule, 0, sizeof *rule);
    if (sscanf(line, "%15s %511s %ld %ld %15s %15s", rule->call, rule->pattern, &rule->first,
               &rule->count, rule->action, rule->argument) == 6)
      rule_count += 1;
  }
  clock_shift = shift;
}

/// Reads the rules again if the file is another one. Call with the lock.
static void refresh(void) {
  const char *file = getenv("SYSTEM_FAULTS");
  if (file == NULL) return;
  struct stat now;
  if (syscall(SYS_newfstatat, AT_FDCWD, file, &now, 0) != 0) {
    rule_count = 0;
    clock_shift = 0;
    read_inode = 0;
    return;
  }
  if (now.st_ino == read_inode && now.st_mtim.tv_sec == read_at.tv_sec &&
      now.st_mtim.tv_nsec == read_at.tv_nsec)
    return;
  read_inode = now.st_ino;
  read_at = now.st_mtim;
  read_rules(file);
}

static void note(const char *call, const char *path) {
  const char *file = getenv("SYSTEM_FAULTS_LOG");
  const char *pattern = getenv("SYSTEM_FAULTS_LOGGED");
  if (file == NULL || pattern == NULL || fnmatch(pattern, path, 0) != 0) return;
  char line[PATH_BYTES + 32];
  int length = snprintf(line, sizeof line, "%s %s\n", call, path);
  int fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  syscall(SYS_write, fd, line, length);
  syscall(SYS_close, fd);
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

/// Does what the rules say before a call. Returns the errno to fail with, or 0.
static int before(const char *call, const char *path) {
  if (path == NULL || inside) return 0;
  int saved = errno, error = 0;
  long delay = 0;
  inside = 1;
  pthread_mutex_lock(&lock);
  note(call, path);
  refresh();
  for (int i = 0; i < rule_count; i++) {
    Rule *rule = &rules[i];
    if (strcmp(rule->call, call) != 0 && strcmp(rule->call, "any") != 0) continue;
    if (fnmatch(rule->pattern, path, 0) != 0) continue;
    rule->seen += 1;
    if (rule->seen < rule->first) continue;
    if (rule->count > 0 && rule->seen >= rule->first + rule->count) continue;
    if (strcmp(rule->action, "error") == 0) error = atoi(rule->argument);
    else if (strcmp(rule->action, "delay") == 0) delay = atol(rule->argument);
    else if (strcmp(rule->argument, "before") == 0) die();
    else kill_after = 1;
  }
  pthread_mutex_unlock(&lock);
  inside = 0;
  if (delay > 0) {
    struct timespec time = {delay / 1000, delay % 1000 * 1000000};
    syscall(SYS_nanosleep, &time, NULL);
  }
  errno = saved;
  return error;
}

static const char *path_of(int fd, char *buffer) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_BYTES - 1);
  if (length < 0) return NULL;
  buffer[length] = 0;
  return buffer;
}

/// Paths are matched as they are in the file system, so relative ones are completed.
static const char *whole(const char *path, char *buffer) {
  if (path == NULL || path[0] == '/') return path;
  char folder[PATH_BYTES / 2];
  if (syscall(SYS_getcwd, folder, sizeof folder) < 0) return path;
  snprintf(buffer, PATH_BYTES, "%s/%.2000s", folder, path);
  return buffer;
}

#define REAL(name)                                             \
  static __typeof__(&name) real = NULL;                        \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define FAULTY(type, call, path, made)         \
  do {                                         \
    int error = before(call, path);            \
    if (error != 0) {                          \
      errno = error;                           \
      return -1;                               \
    }                                          \
    type result = made;                        \
    if (kill_after) die();                     \
    return result;                             \
  } while (0)

#define MODE(flags)                                            \
  mode_t mode = 0;                                             \
  if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {        \
    va_list rest;                                              \
    va_start(rest, flags);                                     \
    mode = va_arg(rest, mode_t);                               \
    va_end(rest);                                              \
  }

int open(const char *path, int flags, ...) {
  MODE(flags)
  REAL(open);
  char buffer[PATH_BYTES];
  FAULTY(int, "open", whole(path, buffer), real(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
  MODE(flags)
  REAL(open64);
  char buffer[PATH_BYTES];
  FAULTY(int, "open", whole(path, buffer), real(path, flags, mode));
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  char buffer[PATH_BYTES];
  FAULTY(ssize_t, "write", path_of(fd, buffer), real(fd, bytes, length));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  char buffer[PATH_BYTES];
  FAULTY(ssize_t, "write", path_of(fd, buffer), real(fd, parts, count));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  REAL(pwrite);
  char buffer[PATH_BYTES];
  FAULTY(ssize_t, "write", path_of(fd, buffer), real(fd, bytes, length, offset));
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(pwrite64);
  char buffer[PATH_BYTES];
  FAULTY(ssize_t, "write", path_of(fd, buffer), real(fd, bytes, length, offset));
}

int fsync(int fd) {
  REAL(fsync);
  char buffer[PATH_BYTES];
  FAULTY(int, "fsync", path_of(fd, buffer), real(fd));
}

int fdatasync(int fd) {
  REAL(fdatasync);
  char buffer[PATH_BYTES];
  FAULTY(int, "fsync", path_of(fd, buffer), real(fd));
}

int ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  char buffer[PATH_BYTES];
  FAULTY(int, "truncate", path_of(fd, buffer), real(fd, length));
}

int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  char buffer[PATH_BYTES];
  FAULTY(int, "truncate", path_of(fd, buffer), real(fd, length));
}

int rename(const char *from, const char *to) {
  REAL(rename);
  char buffer[PATH_BYTES];
  FAULTY(int, "rename", whole(to, buffer), real(from, to));
}

int link(const char *from, const char *to) {
  REAL(link);
  char buffer[PATH_BYTES];
  FAULTY(int, "link", whole(to, buffer), real(from, to));
}

int unlink(const char *path) {
  REAL(unlink);
  char buffer[PATH_BYTES];
  FAULTY(int, "unlink", whole(path, buffer), real(path));
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  char buffer[PATH_BYTES];
  FAULTY(int, "mkdir", whole(path, buffer), real(path, mode));
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = syscall(SYS_clock_gettime, clock, time);
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return result;
  if (!inside) {
    inside = 1;
    if (pthread_mutex_trylock(&lock) == 0) {
      refresh();
      pthread_mutex_unlock(&lock);
    }
    inside = 0;
  }
  time->tv_sec += clock_shift;
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
