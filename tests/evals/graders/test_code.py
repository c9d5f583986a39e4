"""An answer's program is run by its tests, and cannot get out of where it is run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from hybridllm.checks import sandbox
from hybridllm.checks.sandbox import Limits, Ran, run_python
from hybridllm.errors import HybridError
from hybridllm.evals.graders.registry import grader_of

pytestmark = pytest.mark.skipif(
    bool(sandbox.unavailable()), reason=f"no sandbox here: {sandbox.unavailable()}"
)
QUICK = Limits(seconds=1, memory_mb=256, disk_mb=2)


def run(code: str, tests: str = "") -> Ran:
    return run_python(textwrap.dedent(code), tests, QUICK)


def test_code_that_passes_its_tests_is_right() -> None:
    grader = grader_of("code")
    tests = grader.expect(["assert add(1, 2) == 3", "assert add(1, 1) == 3"])
    answer = "Here it is:\n```python\ndef add(a, b):\n    return a + b\n```\nDone."
    grade = grader.grade(answer, tests)
    assert grade.score == 0.5 and "AssertionError" in grade.why
    assert grader.grade(answer, tests[:1]).score == 1
    assert grader.grade("no code at all", tests).score == 0


def test_an_early_exit_is_no_success() -> None:
    for code in ("import sys; sys.exit(0)", "import os; os._exit(0)", "raise SystemExit"):
        assert run(code, "assert False") == Ran(ok=False, why="it ended before its tests did")


def test_it_has_a_directory_to_write_to_and_pythons_own_library() -> None:
    assert run("import json, re, math, decimal; open('x', 'w').write('y')", "open('x')").ok


def denied(code: str) -> str:
    """What the program was told when it tried."""
    ran = run(code)
    assert not ran.ok
    return ran.why


def test_it_reaches_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        why = denied(f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)")
    assert "unreachable" in why
    name = f"\0hybridllm-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        reach = f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
        assert "refused" in denied(reach)


def test_it_makes_no_process_and_no_thread() -> None:
    assert "not permitted" in denied("import os\nwhile True: os.fork()")
    assert "not permitted" in denied("import subprocess; subprocess.run(['/bin/true'])")
    assert "start new thread" in denied("import threading; threading.Thread(target=print).start()")


def test_it_sees_no_file_of_ours(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    assert "No such file" in denied(f"open({str(secret)!r})")
    for place in ("/etc/passwd", "/home", "/tmp", "/proc/1/environ", "/proc/self/mem"):
        assert "No such file" in denied(f"import os; os.stat({place!r})"), place


def test_it_writes_nowhere_else() -> None:
    for place in ("/usr/x", "/x", "/dev/x", os.path.join(sys.base_prefix, "x")):
        assert "Read-only" in denied(f"open({place!r}, 'w')"), place


def test_it_cannot_leave_its_root() -> None:
    assert "not permitted" in denied("import os; os.chroot('/usr')")
    climb = "import os\nfor _ in range(50): os.chdir('..')\nos.stat('etc/passwd')"
    assert "No such file" in denied(climb)
    call = "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\n"
    for what in ("l.unshare(0x10000000)", "l.mount(b'x', b'/work', b'tmpfs', 0, None)"):
        assert denied(f"{call}assert {what} == 0, ctypes.get_errno()") == "AssertionError: 1"


def test_it_is_nobody_without_rights() -> None:
    assert run("import os", "assert os.getuid() != 0 and os.getpid() == 1").ok
    assert "not permitted" in denied("import os; os.setuid(0)")
    look = "import ctypes; d = (ctypes.c_uint * 6)(); h = (ctypes.c_uint * 2)(0x20080522, 0)\n"
    assert run(f"{look}assert ctypes.CDLL(None).capget(h, d) == 0", "assert not any(d)").ok


def test_it_has_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert run("import os", "assert set(os.environ) <= {'LC_CTYPE'}").ok


def test_it_is_stopped_at_its_limits() -> None:
    assert "MemoryError" in denied("x = []\nwhile True: x.append(bytearray(10 ** 7))")
    assert denied("while True: pass") == "not done in 1 s"
    fill = "f = open('x', 'wb')\nwhile True: f.write(bytes(10 ** 5))"
    assert "too large" in denied(fill)
    many = "n = 0\nwhile True:\n    n += 1\n    open(f'{n}', 'wb').write(bytes(10 ** 6))"
    assert "No space" in denied(many)
    assert "files" in denied("f = []\nwhile True: f.append(open('/dev/null'))")
    assert not run("print('x' * 10 ** 8)").ok


def test_it_kills_nobody() -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert "No such process" in denied(f"import os; os.kill({bystander.pid}, 9)")
        assert "No such process" in denied(f"import os; os.kill({os.getpid()}, 9)")
        run("import os; os.kill(os.getppid(), 9); os.kill(-1, 9)")
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n")


def test_nothing_of_it_is_left() -> None:
    run("while True: pass")
    for _ in range(100):  # it dies with its keeper, a moment later
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        if "checks/jail.py" not in listed.stdout:
            return
        time.sleep(0.05)
    raise AssertionError("something of it is alive")


SYSTEM_PYTHON = "/usr/bin/python3"
PLAIN = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv") or not os.path.exists(SYSTEM_PYTHON),
    reason="it takes root to become someone who is not",
)
def test_it_is_as_closed_to_a_user_who_is_not_root() -> None:
    """By a user namespace of its own, whose rights are given up as well."""
    jail = Path(sandbox.__file__).with_name("jail.py").read_text()
    code = (
        "import ctypes, os\nd = (ctypes.c_uint * 6)(); h = (ctypes.c_uint * 2)(0x20080522, 0)\n"
        "libc = ctypes.CDLL(None)\nassert libc.capget(h, d) == 0 and not any(d)\n"
        "assert os.getpid() == 1 and not os.path.exists('/etc/passwd')\n"
        "assert libc.unshare(0x10000000) == -1\n"
        "try: open('/usr/x', 'w')\nexcept OSError: pass\nelse: raise SystemExit(2)\n"
        "try: os.fork()\nexcept OSError: pass\nelse: raise SystemExit(3)\n"
    )
    told = {"code": code, "tests": "", "word": "done", "seconds": 5}
    done = subprocess.run(
        [*PLAIN, SYSTEM_PYTHON, "-I", "-S", "-c", jail],
        input=json.dumps({**told, "memory_mb": 256, "disk_mb": 2}),
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    if done.returncode == 97:
        pytest.skip(f"a plain user may make no namespace here: {done.stderr.strip()}")
    assert (done.returncode, done.stdout) == (0, "done"), done.stderr


def test_without_a_sandbox_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    sandbox.unavailable.cache_clear()
    try:
        with pytest.raises(HybridError, match="no answer's code is run without one"):
            run_python("1/0", "", QUICK)
        with pytest.raises(HybridError, match="no answer's code"):
            grader_of("code").expect("assert True")
    finally:
        monkeypatch.undo()
        sandbox.unavailable.cache_clear()
