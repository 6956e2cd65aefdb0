"""What can go wrong, as one small tree.

Expected failures (a wrong password, a server that is down) are values of `exfront.model`; an exception means that a contract
was broken or that a boundary translates somebody else's error::

    ExfrontError
    ├── ConfigurationError      the administrator's file is wrong: carries every mistake
    ├── PortError               a port cannot be listened on: carries the line and the reason
    ├── MessageError            a peer broke HTTP/1.1: carries the status to answer with
    │   └── IncompleteBody      the peer went away before the body's end
    └── DirectoryError          the directory cannot be asked now, or refused to answer
        ├── DirectoryUnreachable    no server answered (connect, time-out, TLS)
        └── SizeLimitExceeded       more entries match than the search allows
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exfront.config.mistakes import Mistake


class ExfrontError(Exception):
    """The root: everything exfront raises on purpose."""


class ConfigurationError(ExfrontError):
    """The configuration is wrong; `mistakes` has every mistake found in one run (C1)."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(f"{len(mistakes)} mistakes in the configuration")
        self.mistakes = tuple(mistakes)


class PortError(ExfrontError):
    """A port cannot be listened on; `key` and `description` say where it is configured, `reason` is the system's."""

    def __init__(self, key: str, description: str, reason: str) -> None:
        super().__init__(f"{description} cannot be listened on: {reason}")
        self.key = key
        self.description = description
        self.reason = reason


class MessageError(ExfrontError):
    """A peer's bytes are not HTTP/1.1 (RFC 9112); `status` is what a server answers, `reason` a fixed text without peer data."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class IncompleteBody(MessageError):
    """The peer closed before the body's end (RFC 9112 section 8)."""

    def __init__(self) -> None:
        super().__init__(400, "the body ended early")


class DirectoryError(ExfrontError):
    """The directory could not be asked, or gave no usable answer."""


class DirectoryUnreachable(DirectoryError):
    """No directory server answered: refused, timed out, TLS not verified. The message names the servers, never credentials."""


class SizeLimitExceeded(DirectoryError):
    """More entries match than the search's size limit allows (LDAP result 4)."""
