"""Elements as libvirt writes them: an absent value makes no element, an absent attribute none either."""

from collections.abc import Iterable

from lxml import etree

Value = str | int | None


def element(tag: str, *content: etree._Element | None, text: Value = None, **attributes: Value) -> etree._Element:
    """The element, with what of its content and attributes there is."""
    given = {name: str(value) for name, value in attributes.items() if value is not None}
    made = etree.Element(tag, given)
    made.text = None if text is None else str(text)
    made.extend([child for child in content if child is not None])
    return made


def leaf(tag: str, value: Value) -> etree._Element | None:
    """An element with this text; none where there is no value."""
    return None if value is None else element(tag, text=value)


def capability(type_: str, content: Iterable[etree._Element | None] = ()) -> etree._Element:
    return element("capability", *content, type=type_)
