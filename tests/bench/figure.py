"""One benchmark's result: ours beside the limit measured in the same run."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`ratio` is ours ÷ limit; `unit` says what both are, `note` what was measured and what we aim at."""

    name: str
    ours: float
    limit: float
    ratio: float
    unit: str
    note: str
