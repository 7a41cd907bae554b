"""What a batch can be, as the console says before it asks and the API when it is ordered."""

from collections.abc import Sequence

from hwcensus.errors import UsageError

#: Hosts of one batch.
MOST_HOSTS = 1000


def check_which(hosts: Sequence[str], status: str | None, cap: str | None) -> None:
    """Whether hosts are named, or else said by what they are. Raises UsageError (`bad-batch`)."""
    if bool(hosts) == (status is not None or cap is not None):
        raise UsageError("name hosts, or say which by status or cap, not both", code="bad-batch")


def check_size(hosts: int) -> None:
    """Whether so many hosts can be in it. Raises UsageError (`bad-batch`)."""
    if not 1 <= hosts <= MOST_HOSTS:
        raise UsageError(f"a batch is for 1 to {MOST_HOSTS} hosts, not {hosts}", code="bad-batch")


def check_limits(**limits: int | None) -> None:
    """Whether so many can be under way at once, or fail before it stops; None is not said. Raises UsageError
    (`bad-batch`)."""
    for name, limit in limits.items():
        if limit is not None and not 1 <= limit <= MOST_HOSTS:
            raise UsageError(f"{name} is 1 to {MOST_HOSTS}, not {limit}", code="bad-batch")
