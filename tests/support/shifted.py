"""Processes with a wrong clock: a library that is loaded before the C library moves every reading of the time of day.

It leaves the times of files as they are, so a process sees what a machine with a wrong clock sees of a shared directory.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.needs import lacking

HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY
_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t shift(void) {
    const char *seconds = getenv("TEST_CLOCK_SHIFT");
    return seconds ? atoll(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return failed;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
"""


def library(directory: Path) -> Path:
    """Compile the library into a directory; skip the test without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        lacking("this machine has no C compiler")
    source, built = directory / "shift.c", directory / "shift.so"
    source.write_text(_SOURCE, encoding="utf-8")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    return built


def environment(library: Path, seconds: int) -> dict[str, str]:
    """Return the environment of a process whose clock is so many seconds ahead, or behind if negative."""
    return {**os.environ, "LD_PRELOAD": str(library), "TEST_CLOCK_SHIFT": str(seconds)}
