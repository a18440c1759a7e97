"""Runs seqnets as on a system that is not POSIX: `VERB ... AND VERB ...`; without arguments, it imports all modules.

What only POSIX has is hidden from the modules of seqnets, not from the libraries below, which look at the real system.
"""

import builtins
import importlib
import io
import os
import pkgutil
import signal
import sys
import types

MODULES = {"fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "readline", "syslog", "curses"}
OF_OS = """
    getuid geteuid getgid getegid getgroups setuid getpgid getpgrp setpgid killpg setsid fork forkpty wait waitpid nice
    sched_getaffinity sched_setaffinity uname mkfifo mknod chown lchown fchown chroot fchdir getloadavg sysconf confstr pathconf
    statvfs fstatvfs pread pwrite preadv pwritev readv writev sendfile posix_spawn posix_fallocate posix_fadvise sync fdatasync
    ttyname openpty ctermid memfd_create getxattr setxattr fwalk lockf register_at_fork
    O_NONBLOCK O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_SYNC O_DSYNC WNOHANG WIFEXITED WEXITSTATUS
"""
OF_SIGNAL = """
    SIGKILL SIGHUP SIGQUIT SIGUSR1 SIGUSR2 SIGALRM SIGPIPE SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGWINCH
    pthread_sigmask pthread_kill sigwait sigtimedwait sigpending alarm setitimer pause siginterrupt
"""


def without(module, names):
    smaller = types.ModuleType(module.__name__)
    smaller.__dict__.update({name: value for name, value in vars(module).items() if name not in names})
    return smaller


def is_ours(depth):
    frame = sys._getframe(depth)
    while frame.f_globals.get("__name__") == "pathlib":
        frame = frame.f_back
    return frame.f_globals.get("__name__", "").partition(".")[0] == "seqnets"


def hide():
    seen = {"os": without(os, OF_OS.split()), "signal": without(signal, OF_SIGNAL.split())}
    real_import, real_open = builtins.__import__, open

    def import_(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and (globals or {}).get("__name__", "").partition(".")[0] == "seqnets":
            if name in MODULES:
                raise ImportError(f"No module named {name!r}")
            if name in seen:
                return seen[name]
        return real_import(name, globals, locals, fromlist, level)

    def open_(path, *rest, **options):
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(("/proc/", "/sys/")) and is_ours(2):
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        return real_open(path, *rest, **options)

    builtins.__import__, builtins.open, io.open = import_, open_, open_


if __name__ == "__main__":
    hide()
    import seqnets
    from seqnets.cli.main import main

    if len(sys.argv) == 1:
        for module in pkgutil.walk_packages(seqnets.__path__, "seqnets."):
            importlib.import_module(module.name)
    for command in " ".join(sys.argv[1:]).split(" AND ") if len(sys.argv) > 1 else []:
        if code := main(command.split()):
            sys.exit(code)
