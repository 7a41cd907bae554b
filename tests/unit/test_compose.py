"""The container files and systemd units: what can be checked without running a container or being systemd."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import cast

import pytest
import yaml

from hwcensus.config import settings_of
from hwcensus_agent.commands.policy import Policy
from hwcensus_agent.commands.subject import Subject

COMPOSE = Path(__file__).resolve().parent.parent.parent / "compose"
Service = Mapping[str, object]


@pytest.fixture
def services() -> Mapping[str, Service]:
    content = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return cast("Mapping[str, Service]", content["services"])


def words(service: Service, key: str) -> list[str]:
    return cast("list[str]", service.get(key, []))


def test_every_service_waits_for_one_that_exists(services: Mapping[str, Service]) -> None:
    for service in services.values():
        assert set(cast("Mapping[str, object]", service.get("depends_on", {}))) <= set(services)


def test_every_named_volume_is_declared_and_used(services: Mapping[str, Service]) -> None:
    content = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    mounts = [mount.split(":")[0] for service in services.values() for mount in words(service, "volumes")]

    assert {name for name in mounts if name[0] not in "./"} == set(content["volumes"])


def test_nothing_listens_beyond_this_machine(services: Mapping[str, Service]) -> None:
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in words(service, "ports"))


def test_the_agent_sees_the_machine_and_may_not_write_it(services: Mapping[str, Service]) -> None:
    agent = services["agent"]

    assert agent["network_mode"] == "host"
    assert {"/sys:/sys:ro", "/run/udev:/run/udev:ro", "/etc/machine-id:/etc/machine-id:ro"} <= set(
        words(agent, "volumes")
    )
    assert all(mount.endswith(":ro") for mount in words(agent, "volumes") if mount.startswith("/"))
    assert (agent["cap_drop"], agent["cap_add"]) == (["ALL"], ["NET_ADMIN"])


def test_what_is_built_is_built_from_files_that_exist(services: Mapping[str, Service]) -> None:
    for service in services.values():
        if "build" in service:
            build = cast("Mapping[str, str]", service["build"])
            assert ((COMPOSE / build["context"]).resolve() / build["dockerfile"]).is_file()


@pytest.mark.parametrize("program", ["agent", "collector"])
def test_a_container_file_copies_only_what_the_build_may_see(program: str) -> None:
    text = (COMPOSE / f"Containerfile.{program}").read_text()
    copied = {word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M) for word in line.split()}
    allowed = {line[1:] for line in (COMPOSE.parent / ".dockerignore").read_text().splitlines() if line[0] == "!"}

    assert copied == allowed
    assert "--require-hashes" in text


def test_the_environment_has_only_settings_that_exist(services: Mapping[str, Service]) -> None:
    settings = {
        "agent": pytest.importorskip("hwcensus_agent.settings").AgentSettings,
        "collector": pytest.importorskip("hwcensus_collector.settings").CollectorSettings,
    }
    for program, kind in settings.items():
        known = {one.variable for one in settings_of(kind)}
        given = {
            name for name in cast("Mapping[str, str]", services[program]["environment"]) if name.startswith("HWCENSUS_")
        }
        assert given <= known


def test_the_policy_as_shipped_allows_nothing_and_its_examples_are_some(tmp_path: Path) -> None:
    text = (COMPOSE / "policy.toml").read_text()
    example = "\n".join(line[2:] for line in text.splitlines() if re.match(r"# (\[\[|\w+ = )", line))

    assert tomllib.loads(text) == {}
    (tmp_path / "policy.toml").write_text(example)
    allowed = Policy.load(tmp_path / "policy.toml")
    assert allowed.allows("create", "bridge", Subject(name="hwc0", lowers=("eth1",))) is None
    assert (
        allowed.allows("create", "vport", Subject(name="", parent="10000000c9831b9e", wwpn="5001438001234567")) is None
    )
    assert allowed.allows("detach", "pci", Subject(name="0000:3b:00.1")) is None


@pytest.mark.parametrize("program", ["agent", "collector"])
def test_a_unit_starts_the_installed_program_and_confines_it(program: str) -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(COMPOSE / "systemd" / f"hwcensus-{program}.service")
    service = unit["Service"]

    assert service["ExecStart"] == f"/opt/hwcensus/bin/hwcensus-{program} run"
    assert service["Environment"] == "MALLOC_ARENA_MAX=2"
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    if program == "agent":
        assert "ProtectKernelTunables" not in service  # it makes /sys read only, where vports are made
        assert "ProtectProc" not in service  # it would hide who has a disk open, and so
        # That they are enough: tests/reality/test_capabilities.py.
        assert {"CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"} == set(
            service["CapabilityBoundingSet"].split()
        )
        assert service["DeviceAllow"] == "block-* r"
        assert service["Type"] == "notify"
        assert int(service["WatchdogSec"]) == 60


def test_a_folder_that_holds_more_than_jars_is_not_replaced_by_them(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    environment = dict(os.environ) | {"HWCENSUS_JARS": str(tmp_path)}
    run = [sys.executable, str(COMPOSE / "kafka" / "run"), "--fetch"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "holds more than jars" in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
