"""The inside of the sandbox: run by `sandbox.py` as a program of its own, with an empty
environment. It takes everything away from itself, in this order, and then becomes the program:

1. namespaces of its own: no network, no other process, no message queue, mounts of its own; as
   root by right, else as the root of a user namespace of its own;
2. a root directory with Python's own files, read-only, and an empty one in memory to write to;
3. a user who owns nothing (of root), no privilege and no way to one;
4. limits of processor time, memory, files and processes;
5. a filter of system calls, against new namespaces and what reaches into the kernel.

If one of them fails, it ends with status 97 and has run nothing. Nothing is imported but the
standard library.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import platform
import random
import resource
import signal
import struct
import sys

REFUSED = 97
ROOT = "/tmp"  # covered by an empty file system of its own, in its own mount namespace
FILES = 64

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> int:
    """A function of libc. Raises OSError."""
    result = int(getattr(libc, name)(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(*arguments: int) -> int:
    padded = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[1:5]]
    return call("prctl", ctypes.c_int(arguments[0]), *padded)


# -- 1: namespaces


def separate() -> None:
    own = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        call("unshare", own)
        return
    call("unshare", own | CLONE_NEWUSER)
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{user} {user} 1")
    write("/proc/self/gid_map", f"{group} {group} 1")


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


# -- 2: files


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    call(
        "mount",
        source.encode(),
        target.encode(),
        kind.encode(),
        ctypes.c_ulong(flags),
        data.encode(),
    )


def python_files() -> list[str]:
    """The directories without which Python does not run."""
    wanted = {os.path.realpath(sys.base_prefix), os.path.dirname(os.path.realpath(sys.executable))}
    wanted |= {"/usr", "/lib", "/lib64", "/lib32", "/bin"}
    found = {path for path in wanted if os.path.isdir(path) and path != "/"}
    return [p for p in sorted(found) if not any(p.startswith(other + "/") for other in found)]


def furnish(disk_mb: int) -> None:
    """Leaves us in a root of our own."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("tmpfs", ROOT, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    for path in python_files():
        place = ROOT + path
        if os.path.islink(path):
            os.symlink(os.readlink(path), place)
            continue
        os.makedirs(place, exist_ok=True)
        bind(path, place)
    os.makedirs(ROOT + "/dev", exist_ok=True)
    with open(ROOT + "/dev/null", "w"):
        pass
    mount("/dev/null", ROOT + "/dev/null", "", MS_BIND)
    os.makedirs(ROOT + "/work", exist_ok=True)
    space = f"size={disk_mb}m,nr_inodes=1000,mode=1777"
    mount("tmpfs", ROOT + "/work", "tmpfs", MS_NOSUID | MS_NODEV, space)
    mount("none", ROOT, "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    # The old root is put under the new one and thrown away: a mere chroot can be left again.
    os.chdir(ROOT)
    number = {"x86_64": 155, "aarch64": 41}[platform.machine()]
    call("syscall", ctypes.c_long(number), b".", b".")
    call("umount2", b".", 2)
    os.chdir("/work")


def bind(source: str, target: str) -> None:
    mount(source, target, "", MS_BIND | MS_REC)
    # Flags that the original has must be kept, or the kernel refuses.
    have = os.statvfs(target).f_flag
    kept = have & (2 | 4 | 8)
    atime = {os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048, os.ST_RELATIME: 1 << 21}
    for bit, flag in atime.items():
        kept |= flag if have & bit else 0
    mount("none", target, "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | kept)


# -- 3: the user


def drop(user: int) -> None:
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    if user == 0:
        # A number that nothing else has, so that not even other sandboxes are its own.
        nobody = 0x70000000 + random.SystemRandom().randrange(0x00FFFFFF)
        os.setgroups([])
        os.setresgid(nobody, nobody, nobody)
        os.setresuid(nobody, nobody, nobody)
    # Version 3 of the call (linux/capability.h), of this process; none effective, permitted or
    # inheritable, twice 32.
    call("capset", struct.pack("II", 0x20080522, 0), bytes(24))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    # Of the user's change this was forgotten; the jail must not outlive its keeper.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


# -- 4: limits


def limit(seconds: float, memory_mb: int, disk_mb: int) -> None:
    megabyte = 1024 * 1024
    cpu = math.ceil(seconds)
    for what, most in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory_mb * megabyte),
        (resource.RLIMIT_FSIZE, disk_mb * megabyte),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_NPROC, 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))


# -- 5: system calls

DENIED = {
    # ptrace, mount, umount2, pivot_root, chroot, unshare, setns, keyctl, add_key, request_key, bpf,
    # perf_event_open, io_uring_*, userfaultfd, process_vm_*, kexec_*, open_by_handle_at, *_module,
    # fsopen..move_mount, open_tree, memfd_create, personality, acct, swapon, reboot
    "x86_64": (101, 165, 166, 155, 161, 272, 308, 250, 248, 249, 321, 298, 425, 426, 427, 323, 310,
               311, 246, 320, 304, 175, 176, 313, 428, 429, 430, 431, 432, 433, 442, 319, 135, 163,
               167, 169),
    "aarch64": (117, 40, 39, 41, 51, 97, 268, 219, 217, 218, 280, 241, 425, 426, 427, 282, 270,
                271, 104, 294, 265, 105, 106, 273, 428, 429, 430, 431, 432, 433, 442, 279, 92, 89,
                224, 142),
}  # fmt: skip
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
FORKS = {"x86_64": (57, 58), "aarch64": ()}
CLONE3 = 435
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


def program(machine: str) -> bytes:
    """The filter, in the kernel's own instructions (linux/filter.h, linux/seccomp.h): another
    architecture's calls end the process; the denied ones, and every new process or thread, are
    not permitted; clone3, whose flags cannot be looked at, is not there."""
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    code = [
        (load, 0, 0, 4),
        (equal, 1, 0, ARCHITECTURE[machine]),
        (give, 0, 0, KILL),
        (load, 0, 0, 0),
        (at_least, 0, 1, 0x40000000),
        (give, 0, 0, KILL),
        (equal, 0, 1, CLONE3),
        (give, 0, 0, ENOSYS),
    ]
    for number in (*DENIED[machine], CLONE[machine], *FORKS[machine]):
        code += [(equal, 0, 1, number), (give, 0, 0, EPERM)]
    code.append((give, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in code)


class Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def close_calls() -> None:
    code = program(platform.machine())
    buffer = ctypes.create_string_buffer(code)
    made = Filter(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    call(
        "prctl",
        ctypes.c_int(PR_SET_SECCOMP),
        ctypes.c_ulong(2),
        ctypes.byref(made),
        ctypes.c_ulong(0),
        ctypes.c_ulong(0),
    )


# -- the program


def run(told: dict[str, object]) -> None:
    """The code, then its tests in its namespace, then the word."""
    word = told.pop("word")
    space: dict[str, object] = {"__name__": "answer"}
    exec(compile(str(told["code"]), "answer.py", "exec"), space)
    exec(compile(str(told["tests"]), "tests.py", "exec"), space)
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(1, str(word).encode())


def say(what: object) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


def inside(told: dict[str, object], user: int) -> int:
    """The first process of the jail; its exit status."""
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        if os.getppid() != 0:
            raise OSError(0, "it shares the system's processes")
        furnish(int(str(told["disk_mb"])))
        drop(user)
        close_calls()
        limit(float(str(told["seconds"])), int(str(told["memory_mb"])), int(str(told["disk_mb"])))
    except (OSError, ValueError, KeyError) as e:
        say(e)
        return REFUSED
    try:
        os.chdir("/work")
        run(told)
    except SystemExit as e:
        return 0 if e.code in (None, 0) else 1
    except BaseException as e:
        say(f"{type(e).__name__}: {e}"[:500])
        return 1
    return 0


def main() -> None:
    told = json.loads(sys.stdin.buffer.read())
    user = os.geteuid()
    try:
        separate()
    except OSError as e:
        say(e)
        os._exit(REFUSED)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    child = os.fork()
    if child == 0:
        os._exit(inside(told, user))
    _, status = os.waitpid(child, 0)
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
