/*
 * Faults at a chosen file-system call, for the torture tests (loaded with LD_PRELOAD).
 *
 * Counts the calls that change files below a folder, of all processes and threads that share one control file, and acts
 * at the call of a given number. The harness writes the control file (faultControl.ts has the same layout) and reads the
 * count; it may do so again while a process lives. With TORTURE_CALL_LOG, every counted call is a line of that file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PATH_MAX_BYTES 4200

enum action { KILL = 1, KILL_GROUP = 2, HALF_THEN_KILL = 3, FULL = 4, FULL_ONCE = 5, STOP_GROUP = 6 };

struct control {
  _Atomic int64_t at; /* number of the call that is hit, from 1; 0 for none */
  _Atomic int64_t action;
  _Atomic int64_t calls;
  _Atomic int64_t reached; /* faults so far */
  char folder[1024];       /* absolute, without a slash at its end; empty: nothing is counted */
};

enum verdict { PROCEED, WRITE_HALF, NO_SPACE };

static struct control *control;
static int log_fd = -1;

__attribute__((constructor)) static void open_control(void) {
  const char *path = getenv("TORTURE_CONTROL");
  const char *log = getenv("TORTURE_CALL_LOG");
  if (path == NULL) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *shared = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (shared != MAP_FAILED) control = shared;
  if (log != NULL) log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static int is_below(const char *path) {
  if (control == NULL || control->folder[0] == '\0') return 0;
  size_t length = strlen(control->folder);
  return strncmp(path, control->folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The file of a descriptor; a deleted one keeps its former name. */
static int fd_path(int fd, char *into, size_t size) {
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, into, size - 1);
  if (length < 0) return 0;
  into[length] = '\0';
  return 1;
}

static void absolute(int directory, const char *path, char *into, size_t size) {
  char base[PATH_MAX_BYTES];
  if (path[0] == '/') {
    snprintf(into, size, "%s", path);
    return;
  }
  int known = directory == AT_FDCWD ? getcwd(base, sizeof base) != NULL : fd_path(directory, base, sizeof base);
  snprintf(into, size, "%s/%s", known ? base : "", path);
}

static enum verdict count(const char *call, const char *path, int takes_space) {
  int64_t number = atomic_fetch_add(&control->calls, 1) + 1;
  if (log_fd >= 0) {
    char line[PATH_MAX_BYTES + 64];
    int length = snprintf(line, sizeof line, "%lld %s %s\n", (long long)number, call, path);
    syscall(SYS_write, log_fd, line, (size_t)length);
  }
  int64_t at = control->at;
  enum action action = (enum action)control->action;
  int hit = action == FULL ? number >= at : number == at;
  if (at == 0 || !hit) return PROCEED;
  switch (action) {
    case HALF_THEN_KILL:
      atomic_fetch_add(&control->reached, 1);
      return WRITE_HALF;
    case KILL:
    case KILL_GROUP:
      atomic_fetch_add(&control->reached, 1);
      kill(action == KILL ? getpid() : 0, SIGKILL);
      for (;;) pause();
    case STOP_GROUP:
      atomic_fetch_add(&control->reached, 1);
      kill(0, SIGSTOP);
      return PROCEED;
    case FULL:
    case FULL_ONCE:
      if (!takes_space) return PROCEED;
      atomic_fetch_add(&control->reached, 1);
      return NO_SPACE;
  }
  return PROCEED;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static enum verdict at_path(const char *call, int directory, const char *path, int takes_space) {
  char whole[PATH_MAX_BYTES];
  if (control == NULL) return PROCEED;
  absolute(directory, path, whole, sizeof whole);
  return is_below(whole) ? count(call, whole, takes_space) : PROCEED;
}

static enum verdict at_descriptor(const char *call, int fd, int takes_space) {
  char path[PATH_MAX_BYTES];
  if (control == NULL || control->folder[0] == '\0' || !fd_path(fd, path, sizeof path)) return PROCEED;
  return is_below(path) ? count(call, path, takes_space) : PROCEED;
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* A call that is not a write of bytes: half of it cannot be done, so the process dies before it. */
#define OBEY(verdict) OBEY_WRITE(verdict, 0)

/* Whether half of it could be written makes no difference to a process that dies. */
#define OBEY_WRITE(verdict, write_half) \
  switch (verdict) { \
    case WRITE_HALF: \
      if (write_half) {} \
      die(); \
      break; \
    case NO_SPACE: \
      errno = ENOSPC; \
      return -1; \
    case PROCEED: \
      break; \
  }

static int changes_files(int flags) {
  return (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_ACCMODE) != O_RDONLY;
}

#define MODE_OF(flags, last) \
  mode_t mode = 0; \
  if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) { \
    va_list arguments; \
    va_start(arguments, last); \
    mode = va_arg(arguments, mode_t); \
    va_end(arguments); \
  }

int open(const char *path, int flags, ...) {
  REAL(open);
  MODE_OF(flags, flags)
  if (changes_files(flags)) OBEY(at_path("open", AT_FDCWD, path, (flags & O_CREAT) != 0))
  return real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  REAL(open64);
  MODE_OF(flags, flags)
  if (changes_files(flags)) OBEY(at_path("open", AT_FDCWD, path, (flags & O_CREAT) != 0))
  return real(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
  REAL(openat);
  MODE_OF(flags, flags)
  if (changes_files(flags)) OBEY(at_path("openat", directory, path, (flags & O_CREAT) != 0))
  return real(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
  REAL(openat64);
  MODE_OF(flags, flags)
  if (changes_files(flags)) OBEY(at_path("openat", directory, path, (flags & O_CREAT) != 0))
  return real(directory, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t size) {
  REAL(write);
  OBEY_WRITE(at_descriptor("write", fd, 1), real(fd, bytes, size / 2))
  return real(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  REAL(pwrite);
  OBEY_WRITE(at_descriptor("pwrite", fd, 1), real(fd, bytes, size / 2, offset))
  return real(fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
  REAL(pwrite64);
  OBEY_WRITE(at_descriptor("pwrite", fd, 1), real(fd, bytes, size / 2, offset))
  return real(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count_of_parts) {
  REAL(writev);
  OBEY_WRITE(at_descriptor("writev", fd, 1), real(fd, parts, count_of_parts / 2))
  return real(fd, parts, count_of_parts);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count_of_parts, off64_t offset) {
  REAL(pwritev64);
  OBEY_WRITE(at_descriptor("pwritev", fd, 1), real(fd, parts, count_of_parts / 2, offset))
  return real(fd, parts, count_of_parts, offset);
}

int fsync(int fd) {
  REAL(fsync);
  OBEY(at_descriptor("fsync", fd, 1))
  return real(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  OBEY(at_descriptor("fdatasync", fd, 1))
  return real(fd);
}

int ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  OBEY(at_descriptor("ftruncate", fd, 1))
  return real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  OBEY(at_descriptor("ftruncate", fd, 1))
  return real(fd, length);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  OBEY(at_path("rename", AT_FDCWD, to, 1))
  return real(from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
  REAL(renameat);
  OBEY(at_path("renameat", to_directory, to, 1))
  return real(from_directory, from, to_directory, to);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags) {
  REAL(renameat2);
  OBEY(at_path("renameat2", to_directory, to, 1))
  return real(from_directory, from, to_directory, to, flags);
}

int unlink(const char *path) {
  REAL(unlink);
  OBEY(at_path("unlink", AT_FDCWD, path, 0))
  return real(path);
}

int unlinkat(int directory, const char *path, int flags) {
  REAL(unlinkat);
  OBEY(at_path("unlinkat", directory, path, 0))
  return real(directory, path, flags);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  OBEY(at_path("mkdir", AT_FDCWD, path, 1))
  return real(path, mode);
}

int rmdir(const char *path) {
  REAL(rmdir);
  OBEY(at_path("rmdir", AT_FDCWD, path, 0))
  return real(path);
}

int link(const char *from, const char *to) {
  REAL(link);
  OBEY(at_path("link", AT_FDCWD, to, 1))
  return real(from, to);
}

int symlink(const char *target, const char *path) {
  REAL(symlink);
  OBEY(at_path("symlink", AT_FDCWD, path, 1))
  return real(target, path);
}
