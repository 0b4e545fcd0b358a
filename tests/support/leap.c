/* Lets the clocks of a program leap ahead: by the seconds that stand in the file LEAP, a number as the machine has it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long (*call)(long, ...);
static const volatile long *file;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("LEAP");
    int opened = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    call = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (opened < 0) return;
    void *shared = mmap(NULL, sizeof *file, PROT_READ, MAP_SHARED, opened, 0);
    if (shared != MAP_FAILED) file = shared;
    close(opened);
}

static long ahead(void) {
    return file ? *file : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)call(SYS_clock_gettime, clock, now);
    int leaps = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME;
    if (!failed && leaps) now->tv_sec += ahead();
    return failed;
}

/* Locks wait until a time by the machine's own clock. */
long syscall(long number, ...) {
    long words[6];
    va_list rest;
    va_start(rest, number);
    for (int at = 0; at < 6; at++) words[at] = va_arg(rest, long);
    va_end(rest);
    struct timespec until;
    if (number == SYS_futex && (words[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && words[3]) {
        until = *(const struct timespec *)words[3];
        until.tv_sec -= ahead();
        if (until.tv_sec < 0) until.tv_sec = 0;
        words[3] = (long)&until;
    }
    return call(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
