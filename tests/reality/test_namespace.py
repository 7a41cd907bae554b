"""The namespaces that other tests use: apart from the machine, with a real udevd, and gone afterwards."""

import json
import os
import select
import socket
import sys
import threading
from pathlib import Path

from tests.fixtures.namespace import in_namespace, namespaces_work, run_in_namespace
from tests.fixtures.process import Process


def test_inside_is_no_network_device_but_loopback() -> None:
    done = run_in_namespace(["ls", "/sys/class/net"])

    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["lo"], "")


def test_a_device_made_inside_is_not_seen_outside() -> None:
    done = run_in_namespace(["sh", "-c", "ip link add hwcns0 type bridge && ls /sys/class/net"])

    assert done.stdout.split() == ["hwcns0", "lo"]
    assert not Path("/sys/class/net/hwcns0").exists()


def test_a_real_udevd_names_the_properties_of_a_new_device() -> None:
    script = "ip link add hwcns1 type bridge && udevadm settle && udevadm info --query=property /sys/class/net/hwcns1"
    done = run_in_namespace(["sh", "-c", script], udevd=True)

    assert done.returncode == 0, done.stderr
    assert "ID_NET_DRIVER=bridge" in done.stdout
    assert "USEC_INITIALIZED=" in done.stdout


def test_after_a_trigger_udevd_knows_every_device() -> None:
    done = run_in_namespace(["ls", "/run/udev/data"], trigger=True)

    assert done.returncode == 0, done.stderr
    assert "n1" in done.stdout.split()  # loopback, by its interface index
    assert "c1:3" in done.stdout.split()  # /dev/null, by its number


def test_a_forwarded_port_reaches_the_machine_from_inside() -> None:
    namespaces_work()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(10).upper())

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        code = f"import socket; s = socket.create_connection(('127.0.0.1', {port})); s.send(b'hi'); print(s.recv(9))"
        done = run_in_namespace([sys.executable, "-c", code], forward=[port])
        thread.join(10)

    assert (done.returncode, done.stdout) == (0, "b'HI'\n")


def test_the_command_is_the_process_itself_and_udevd_dies_with_it() -> None:
    namespaces_work(udevd=True)
    code = (
        "import json, os, signal; pid = os.getpid();"
        "children = open(f'/proc/{pid}/task/{pid}/children').read().split();"
        "print(json.dumps([pid, children]), flush=True); signal.pause()"
    )
    with Process(in_namespace([sys.executable, "-c", code], udevd=True)) as inside:
        pid, children = json.loads(inside.wait_for(r"^\["))
        assert pid == inside.popen.pid
        assert len(children) == 1
        assert "systemd-udevd" in Path(f"/proc/{children[0]}/cmdline").read_text()
        udevd = os.pidfd_open(int(children[0]))
        inside.kill()

    # A process descriptor can be read from when its process has ended.
    assert select.select([udevd], [], [], 20)[0] == [udevd]
    os.close(udevd)
