"""`python -m tests.bench [NAME]`: our figures beside the limits, measured in one run; a table and build/bench.json."""

import json
import platform
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.bench.figure import Figure

#: Name → module and function; a benchmark is a file and a line.
BENCHES: dict[str, tuple[str, str]] = {
    "enumerate": ("tests.bench.enumerate", "enumerate_figure"),
    "enumerate-lab": ("tests.bench.lab", "enumerate_lab"),
    "commands": ("tests.bench.commands", "commands_figure"),
    "vhba": ("tests.bench.vhba", "vhba_figure"),
    "latency": ("tests.bench.latency", "latency_figure"),
    "ingest-postgresql": ("tests.bench.ingest", "ingest_postgresql"),
    "ingest-sqlite": ("tests.bench.ingest", "ingest_sqlite"),
    "hal": ("tests.bench.hal", "hal_figure"),
    "agent-idle": ("tests.bench.idle", "idle_figure"),
    "storm": ("tests.bench.storm", "storm_figure"),
    "scale": ("tests.bench.scale", "scale_figure"),
    "libvirt": ("tests.bench.libvirt", "libvirt_figure"),
    "agent-10000": ("tests.bench.scale", "agent_figure"),
}
OUTPUT = Path(__file__).parents[2] / "build/bench.json"
LIBRARIES = ("lxml", "aiokafka", "sqlalchemy", "psycopg")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    figures = []
    for name in names or BENCHES:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        module, function = BENCHES[name]
        measure: Callable[[], Figure] = getattr(import_module(module), function)
        try:
            figures.append(measure())
        except pytest.skip.Exception as skipped:  # what this machine cannot run says why
            print(f"{name}: skipped: {skipped}", file=sys.stderr)
    print(table(figures))
    write(figures)
    return 0


def table(figures: list[Figure]) -> str:
    rows = [("figure", "ours", "limit", "ratio", "unit", "note")]
    rows += [(f.name, f"{f.ours:.4g}", f"{f.limit:.4g}", f"{f.ratio:.3g}", f.unit, f.note) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
    return "\n".join([*(line.rstrip() for line in lines), "", machine()])


def machine() -> str:
    """What the figures were measured on."""
    cpu = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpu if line.startswith("model name")), platform.machine())
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{model}, Linux {platform.release()}, Python {platform.python_version()}, {libraries}"


def write(figures: list[Figure]) -> None:
    """Adds to what earlier runs of single benchmarks left in build/bench.json."""
    OUTPUT.parent.mkdir(exist_ok=True)
    before = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    told = {
        f.name: {"ours": f.ours, "limit": f.limit, "ratio": f.ratio, "unit": f.unit, "note": f.note} for f in figures
    }
    OUTPUT.write_text(json.dumps(before | told | {"machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main([word for word in sys.argv[1:] if word]))
