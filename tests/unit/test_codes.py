"""docs/codes.md has every code that a command can be refused or fail with, and none that there is not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT.joinpath("docs/codes.md").read_text()
#: Where commands are asked for, refused and carried out.
PLACES = (
    "agent/hwcensus_agent/commands",
    "agent/hwcensus_agent/holders.py",
    "agent/hwcensus_agent/local/policy.py",
    "agent/hwcensus_agent/sysfs.py",
    "agent/hwcensus_agent/way.py",
    "collector/hwcensus_collector/api/batches.py",
    "collector/hwcensus_collector/api/orders.py",
    "collector/hwcensus_collector/ingest/intake.py",
    "collector/hwcensus_collector/inventory/batches.py",
    "collector/hwcensus_collector/inventory/hosts.py",
    "collector/hwcensus_collector/inventory/lookup.py",
    "collector/hwcensus_collector/inventory/refusal.py",
    "collector/hwcensus_collector/relay",
    "collector/hwcensus_collector/wwns",
    "common/hwcensus/batch_order.py",
    "common/hwcensus/cli",
    "common/hwcensus/client",
    "common/hwcensus/command.py",
    "common/hwcensus/creatable",
    "common/hwcensus/document.py",
    "common/hwcensus/errors.py",
    "common/hwcensus/given.py",
    "common/hwcensus/key_file.py",
    "common/hwcensus/libvirt",
    "common/hwcensus/schema.py",
    "common/hwcensus/signature.py",
    "common/hwcensus/wwn.py",
)
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def trees() -> Iterator[ast.AST]:
    for place in PLACES:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            yield ast.parse(file.read_text())


def strings(*nodes: ast.AST) -> Iterator[str]:
    """The texts that an expression may be; not those that only lead to it."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
            yield node.value
        elif isinstance(node, ast.IfExp):
            yield from strings(node.body, node.orelse)
        elif isinstance(node, ast.BoolOp):
            yield from strings(*node.values)


def raised(tree: ast.AST) -> Iterator[str]:
    """What is given as `code=…`, stands as `code = …` in a class, or is given back with a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code":
            yield from strings(node.value)
        elif isinstance(node, ast.ClassDef):
            yield from (code for one in node.body if _is_code(one) for code in strings(one.value))  # type: ignore[attr-defined]
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            yield from (code for code in strings(node.value.elts[0]) if "-" in code)


def _is_code(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "code" for target in targets)


def on_the_page() -> set[str]:
    cells = re.findall(r"^\| ([^|]*) \|", PAGE, re.MULTILINE)
    return {code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)}


def test_every_code_is_on_the_page() -> None:
    found = {code for tree in trees() for code in raised(tree)}
    assert len(found) > 70, "the search finds them"
    assert sorted(found - on_the_page()) == []


def test_the_page_has_no_code_that_there_is_not() -> None:
    found = {code for tree in trees() for code in raised(tree)}
    assert sorted(on_the_page() - found - {"unknown-command"}) == []
