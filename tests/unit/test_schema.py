"""The schema files are those of the classes, and refuse what the classes do not have."""

from pathlib import Path

import pytest
from lxml import etree

from hwcensus import schema
from hwcensus.errors import InvalidDocument


def test_the_schema_files_are_what_the_classes_give(tmp_path: Path) -> None:
    by_hand = {"wire", *schema.STARTS}
    for name in by_hand:
        (tmp_path / f"{name}.rnc").write_text((schema.FOLDER / f"{name}.rnc").read_text())
    schema.write(tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in schema.FOLDER.iterdir() if path.suffix in {".rnc", ".rng"}}
    assert written == kept


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<name>two words</name>",
        "<name>x</name><name>y</name>",
        "<parent>p</parent><name>x</name>",
        "<name>x</name><flux/>",
        '<name>x</name><bus type="flux"/>',
        '<name>x</name><bus type="pci"><vendor id="0x8086"/></bus>',
        '<name>x</name><capability type="bridge"/>',
        '<name>x</name><capability type="net"><interface/></capability>',
        '<name>x</name><capability type="net"><interface>a</interface><address>AA:BB</address></capability>',
    ],
)
def test_what_the_classes_do_not_have_is_refused(body: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        schema.validate(etree.fromstring(f"<device>{body}</device>"), "device")
    assert refused.value.code == "schema"
