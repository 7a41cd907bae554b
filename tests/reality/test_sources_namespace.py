"""A network namespace, a sysfs and a /run of its own for a test, which stays ordinary Python: `@in_namespace`.

tests/fixtures/namespace.py does the same for a program.
"""

import ctypes
import functools
import gc
import os
import signal
import socket
import stat
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import pytest

from tests.fixtures.require import require

P = ParamSpec("P")

LIMIT = 60  # seconds, for one test
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def in_namespace(test: Callable[P, None]) -> Callable[P, None]:
    """Run the test in a forked child that has left the machine's network. Skips where we are not root."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        require(os.geteuid() == 0, "network namespaces need root")
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            _run_and_exit(lambda: test(*args, **kwargs), writable)
        os.close(writable)
        with os.fdopen(readable, "rb") as pipe:
            said = pipe.read().decode()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == SKIPPED:
            pytest.skip(said)
        if status != 0:
            pytest.fail(said or f"the test's process ended with {status} (-14: it took longer than {LIMIT} s)", False)

    return run


SKIPPED = 77


def _run_and_exit(test: Callable[[], None], writable: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LIMIT)
    gc.freeze()  # the garbage of the run stays: a Kafka client that is collected waits for threads that are not here
    status = 0
    try:
        _let_go_of_connections()
        _leave()
        test()
    except pytest.skip.Exception as skipped:
        os.write(writable, str(skipped).encode())
        status = SKIPPED
    except BaseException:  # noqa: BLE001 - the child's whole outcome goes to the parent as text
        os.write(writable, traceback.format_exc().encode())
        status = 1
    finally:
        os._exit(status)


def _let_go_of_connections() -> None:
    """What the run has open to brokers and databases is not this process's. The numbers stay taken: whoever closes one
    of them closes nothing of the test's."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        try:
            is_connection = stat.S_ISSOCK(os.fstat(number).st_mode)
        except OSError:  # the folder's own
            continue
        if is_connection:
            os.dup2(nothing, number, inheritable=False)


def _leave() -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def call(function: str, *arguments: object) -> None:
        if libc[function](*arguments) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{function}: {os.strerror(code)}")

    call("unshare", CLONE_NEWNS | CLONE_NEWNET)
    call("mount", b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    call("mount", b"sysfs", b"/sys", b"sysfs", ctypes.c_ulong(0), None)
    call("mount", b"tmpfs", b"/run", b"tmpfs", ctypes.c_ulong(0), None)


@in_namespace
def test_a_test_in_a_namespace_sees_no_link_of_the_machine() -> None:
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    assert [entry.name for entry in Path("/sys/class/net").iterdir()] == ["lo"]
    assert not list(Path("/run").iterdir())


def test_a_failure_in_a_namespace_is_the_tests_failure() -> None:
    @in_namespace
    def failing() -> None:
        raise RuntimeError("said in the child")

    with pytest.raises(pytest.fail.Exception, match="said in the child"):
        failing()
