/* Preloaded into the program under test: counts the calls by which it changes what is below one directory, and lets some of
 * them fail, or kills it there. Calls that only read, and those that concern other places, pass unnoticed.
 *
 *   FAULT_BELOW   the directory, by its absolute path
 *   FAULT_TRACE   a file that gets a line "call path" for each of these calls
 *   FAULT_CALLS   of which only these are counted and fail, each between spaces: open write sync syncdir syncfs rename
 *                 truncate unlink mkdir symlink
 *   FAULT_FIRST   the first call that fails, from 1
 *   FAULT_LAST    the last one that does
 *   FAULT_DO      what happens there: an errno; `short ERRNO`, a write of half of it, the next of which fails; `kill`; or
 *                 `half`, which kills after half a write
 *   FAULT_KILL    the call at which the program is killed after all
 *   FAULT_CLOCK   seconds by which the clock is wrong
 *   FAULT_HASTE   sleeping takes no time
 *   FAULT_STATFS  what kind of file system it is, as statfs says (hexadecimal)
 *   FAULT_UNLOCKED  files cannot be locked (fcntl)
 *   FAULT_UNSHARED  the catalog's shared memory cannot be mapped
 *
 * Nothing is ever synced: no test cuts the power, and the kernel's cache outlives a killed process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *below = "/nowhere", *only, *deed = "";
static int trace = -1;
static long first, last, fatal, count;
/* What the write after a short one fails with. */
static int after_short;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

__attribute__((constructor)) static void begin(void)
{
    if (getenv("FAULT_BELOW"))
        below = getenv("FAULT_BELOW");
    if (getenv("FAULT_TRACE"))
        trace = REAL(open)(getenv("FAULT_TRACE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    only = getenv("FAULT_CALLS");
    if (getenv("FAULT_DO"))
        deed = getenv("FAULT_DO");
    first = number("FAULT_FIRST", 0);
    last = number("FAULT_LAST", first);
    fatal = number("FAULT_KILL", 0);
}

enum verdict { PASS, FAIL, HALF };

static enum verdict judge(const char *call, const char *path)
{
    size_t length = strlen(below);
    if (!path || strncmp(path, below, length) || (path[length] && path[length] != '/'))
        return PASS;
    char spaced[16];
    snprintf(spaced, sizeof spaced, " %s ", call);
    int counts = !only || strstr(only, spaced);
    pthread_mutex_lock(&lock);
    long this = count += counts;
    if (trace >= 0) {
        char line[PATH_MAX + 32];
        int size = snprintf(line, sizeof line, "%s %s\n", call, path[length] ? path + length + 1 : ".");
        REAL(write)(trace, line, size);
    }
    int is_write = !strcmp(call, "write"), failed = is_write ? after_short : 0;
    if (is_write)
        after_short = 0;
    pthread_mutex_unlock(&lock);
    if (counts && this == fatal)
        kill(getpid(), SIGKILL);
    if (failed) {
        errno = failed;
        return FAIL;
    }
    if (!counts || !first || this < first || this > last)
        return PASS;
    int is_short = !strncmp(deed, "short ", 6);
    if (is_write && (is_short || !strcmp(deed, "half")))
        return HALF;
    if (!strcmp(deed, "kill") || !strcmp(deed, "half"))
        kill(getpid(), SIGKILL);
    errno = atoi(is_short ? deed + 6 : deed);
    return FAIL;
}

/* The path of a file that is open, of PATH_MAX bytes; empty if there is none. */
static void path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX);
    path[size < 0 ? 0 : size] = 0;
}

static enum verdict judge_fd(const char *call, int fd)
{
    char path[PATH_MAX + 1];
    path_of(fd, path);
    return judge(call, path);
}

/* What a write of half of it comes to. */
static ssize_t half(ssize_t written)
{
    if (!strcmp(deed, "half"))
        kill(getpid(), SIGKILL);
    after_short = atoi(deed + 6);
    if (written > 0)
        return written;
    errno = after_short;
    after_short = 0;
    return -1;
}

/* As a path that is relative to a directory; of an absolute one the directory does not matter. */
static enum verdict judge_at(const char *call, int directory, const char *path)
{
    char link[64], whole[2 * PATH_MAX + 2];
    if (!path || *path == '/' || directory == AT_FDCWD)
        return judge(call, path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t size = readlink(link, whole, PATH_MAX);
    if (size < 0)
        return PASS;
    snprintf(whole + size, sizeof whole - size, "/%s", path);
    return judge(call, whole);
}

static int is_directory(int fd)
{
    struct stat it;
    return !fstat(fd, &it) && S_ISDIR(it.st_mode);
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;              \
        va_end(more);                                                                                                  \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && judge("open", path) == FAIL)                                    \
            return -1;                                                                                                 \
        return REAL(name)(path, flags, mode);                                                                          \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int directory, const char *path, int flags, ...)                                                          \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;              \
        va_end(more);                                                                                                  \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && judge_at("open", directory, path) == FAIL)                      \
            return -1;                                                                                                 \
        return REAL(name)(directory, path, flags, mode);                                                               \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *from, size_t size)
{
    enum verdict verdict = judge_fd("write", fd);
    if (verdict == FAIL)
        return -1;
    return verdict == HALF ? half(REAL(write)(fd, from, size / 2)) : REAL(write)(fd, from, size);
}

ssize_t writev(int fd, const struct iovec *parts, int number)
{
    enum verdict verdict = judge_fd("write", fd);
    if (verdict == FAIL)
        return -1;
    return verdict == HALF ? half(REAL(write)(fd, parts->iov_base, parts->iov_len / 2)) : REAL(writev)(fd, parts, number);
}

#define PWRITE(name, offset)                                                                                           \
    ssize_t name(int fd, const void *from, size_t size, offset at)                                                     \
    {                                                                                                                  \
        enum verdict verdict = judge_fd("write", fd);                                                                  \
        if (verdict == FAIL)                                                                                           \
            return -1;                                                                                                 \
        return verdict == HALF ? half(REAL(name)(fd, from, size / 2, at)) : REAL(name)(fd, from, size, at);            \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SENDFILE(name, offset)                                                                                         \
    ssize_t name(int to, int from, offset *at, size_t size)                                                            \
    {                                                                                                                  \
        enum verdict verdict = judge_fd("write", to);                                                                  \
        if (verdict == FAIL)                                                                                           \
            return -1;                                                                                                 \
        return verdict == HALF ? half(REAL(name)(to, from, at, size / 2)) : REAL(name)(to, from, at, size);            \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags)
{
    enum verdict verdict = judge_fd("write", to);
    if (verdict == FAIL)
        return -1;
    if (verdict == HALF)
        return half(REAL(copy_file_range)(from, from_at, to, to_at, size / 2, flags));
    return REAL(copy_file_range)(from, from_at, to, to_at, size, flags);
}

/* A call that passes or fails as a whole. */
#define WHOLE(name, parameters, judgement, otherwise)                                                                  \
    int name parameters                                                                                                \
    {                                                                                                                  \
        return judgement == FAIL ? -1 : otherwise;                                                                     \
    }
WHOLE(fsync, (int fd), judge_fd(is_directory(fd) ? "syncdir" : "sync", fd), 0)
WHOLE(fdatasync, (int fd), judge_fd(is_directory(fd) ? "syncdir" : "sync", fd), 0)
WHOLE(syncfs, (int fd), judge_fd("syncfs", fd), 0)
WHOLE(ftruncate, (int fd, off_t size), judge_fd("truncate", fd), REAL(ftruncate)(fd, size))
WHOLE(ftruncate64, (int fd, off64_t size), judge_fd("truncate", fd), REAL(ftruncate64)(fd, size))
WHOLE(rename, (const char *old, const char *new), judge("rename", new), REAL(rename)(old, new))
WHOLE(renameat, (int a, const char *old, int b, const char *new), judge_at("rename", b, new), REAL(renameat)(a, old, b, new))
WHOLE(renameat2, (int a, const char *old, int b, const char *new, unsigned flags), judge_at("rename", b, new),
      REAL(renameat2)(a, old, b, new, flags))
WHOLE(unlink, (const char *path), judge("unlink", path), REAL(unlink)(path))
WHOLE(unlinkat, (int at, const char *path, int flags), judge_at("unlink", at, path), REAL(unlinkat)(at, path, flags))
WHOLE(mkdir, (const char *path, mode_t mode), judge("mkdir", path), REAL(mkdir)(path, mode))
WHOLE(mkdirat, (int at, const char *path, mode_t mode), judge_at("mkdir", at, path), REAL(mkdirat)(at, path, mode))
WHOLE(symlink, (const char *target, const char *path), judge("symlink", path), REAL(symlink)(target, path))
WHOLE(symlinkat, (const char *target, int at, const char *path), judge_at("symlink", at, path),
      REAL(symlinkat)(target, at, path))

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = REAL(clock_gettime)(clock, now);
    if (!failed && clock == CLOCK_REALTIME)
        now->tv_sec += number("FAULT_CLOCK", 0);
    return failed;
}

int usleep(useconds_t microseconds)
{
    return getenv("FAULT_HASTE") ? 0 : REAL(usleep)(microseconds);
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
    return getenv("FAULT_HASTE") ? 0 : REAL(nanosleep)(time, left);
}

#define STATFS(name)                                                                                                   \
    int name(const char *path, struct name *it)                                                                        \
    {                                                                                                                  \
        int failed = REAL(name)(path, it);                                                                             \
        if (!failed && getenv("FAULT_STATFS") && *getenv("FAULT_STATFS") && !strncmp(path, below, strlen(below)))                                 \
            it->f_type = strtoul(getenv("FAULT_STATFS"), NULL, 16);                                                    \
        return failed;                                                                                                 \
    }
STATFS(statfs)
STATFS(statfs64)

#define FCNTL(name)                                                                                                    \
    int name(int fd, int command, ...)                                                                                 \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        va_start(more, command);                                                                                       \
        void *with = va_arg(more, void *);                                                                             \
        va_end(more);                                                                                                  \
        if (getenv("FAULT_UNLOCKED") && (command == F_SETLK || command == F_SETLKW || command == F_GETLK)) {           \
            char path[PATH_MAX + 1];                                                                                   \
            path_of(fd, path);                                                                                         \
            if (!strncmp(path, below, strlen(below))) {                                                                \
                errno = ENOLCK;                                                                                        \
                return -1;                                                                                             \
            }                                                                                                          \
        }                                                                                                              \
        return REAL(name)(fd, command, with);                                                                          \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

#define MMAP(name, offset)                                                                                             \
    void *name(void *at, size_t size, int protection, int flags, int fd, offset from)                                  \
    {                                                                                                                  \
        char path[PATH_MAX + 1] = "";                                                                                  \
        if (fd >= 0 && getenv("FAULT_UNSHARED"))                                                                       \
            path_of(fd, path);                                                                                         \
        if (strstr(path, "catalog.sqlite-shm")) {                                                                      \
            errno = ENODEV;                                                                                            \
            return MAP_FAILED;                                                                                         \
        }                                                                                                              \
        return REAL(name)(at, size, protection, flags, fd, from);                                                      \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)
