"""Kernel modules, by kmod's modprobe: loaded by their name, or by what a device says it is (its modalias)."""

import os
import shutil
import subprocess

LIMIT_S = 60.0
#: Root's, where an agent started by hand may lack them.
_SBIN = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def load(module: str) -> str | None:
    """What modprobe said where it failed; else None: the module is there."""
    return _modprobe(module)


def load_for(modalias: str) -> None:
    """Every module that wants such a device, where there is one, but what the host's configuration blacklists."""
    _modprobe("--use-blacklist", "--quiet", modalias)


def _modprobe(*words: str) -> str | None:
    program = shutil.which("modprobe", path=_SBIN)
    if program is None:
        return "there is no modprobe here"
    command = [program, *words[:-1], "--", words[-1]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"modprobe ended with {done.returncode}"
