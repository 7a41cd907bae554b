"""What a host says of an order before it is given: who uses the device, and whether its policy allows it."""

from collections.abc import Callable

from hwcensus.cli.follow import raise_unless_succeeded
from hwcensus.cli.output import say
from hwcensus.client import Command, Host
from hwcensus.errors import Refused, Unreachable

#: Seconds that a person waits for it. The question stands as long as any order: its host judges that by its own clock.
PATIENCE_S = 5.0


def ask_host(host: Host, check: Callable[[], Command], *, force: bool) -> None:
    """Shows it, or that nobody knows. Raises Refused where the host would refuse, unless that is for `force`."""
    if host.status != "online":
        say(f"its host is {host.status}: who uses it is not known")
        return
    try:
        _raise_objection(check().wait(PATIENCE_S))
    except Unreachable as error:
        if error.code != "overdue":
            raise
        say(f"its host did not say within {PATIENCE_S:g} s who uses it")
    except Refused as error:
        if error.code == "schema":
            say("its agent is older than this question: who uses it is not known")
        elif force:
            say(f"against it is, without --force: {error.code}: {error}")
        else:
            raise
    else:
        say("its host sees nobody who uses it, and has nothing against it")


def _raise_objection(command: Command) -> None:
    """As the order would be answered, before it is given."""
    if command.state == "failed":
        raise Refused(command.text, code=command.code)
    raise_unless_succeeded(command)
