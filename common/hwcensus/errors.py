"""The errors that leave a function: one family, each with a stable code, facts, and an exit code by its kind.

Modules subclass these beside the code that raises them. This module does not print, log or exit.
"""

import inspect


class HwcensusError(Exception):
    """something went wrong"""

    code: str = "error"
    exit_code: int = 1

    def __init__(self, message: str | None = None, *, code: str | None = None, **facts: str) -> None:
        """`message` says what and what to do (default: the class's docstring); `facts` are for programs."""
        if code is not None:
            self.code = code
        self.message: str = message if message is not None else inspect.cleandoc(type(self).__doc__ or self.code)
        self.facts: dict[str, str] = facts
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class UsageError(HwcensusError):
    """the command was given wrongly"""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """the configuration is wrong"""

    code = "config"


class NotFound(HwcensusError):
    """there is no such thing"""

    code = "not-found"
    exit_code = 3


class Refused(HwcensusError):
    """this is not allowed, or not possible as things are"""

    code = "refused"
    exit_code = 4


class Unreachable(HwcensusError):
    """the other side does not answer"""

    code = "unreachable"
    exit_code = 5


class InvalidDocument(HwcensusError):
    """the document is not what its schema says"""

    code = "invalid-document"
    exit_code = Refused.exit_code
