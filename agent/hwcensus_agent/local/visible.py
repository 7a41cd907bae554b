"""Text from devices as a terminal may show it: no character that moves the cursor or hides what follows."""


def visible(text: str) -> str:
    """The text, with what is not printable written as its code."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
