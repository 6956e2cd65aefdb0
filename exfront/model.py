"""The vocabulary: values that every part of exfront shares.

Everything here is slotted, and frozen in fact or by agreement. Values made for every request are named tuples and plain classes
(made in a fifth of a microsecond), the others are dataclasses. This module owns no state and knows no Twisted, no clock and no
configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Server:
    """A back-end: where to connect, and how. Compared and hashed by name, so that it can be a key."""

    name: str
    """Lower-case, as the directory or the configuration names it; never shown to clients."""
    address: str = field(compare=False)
    """Host name or IP address (v4 or v6, without brackets) to connect to."""
    port: int = field(default=80, compare=False)
    tls: bool = field(default=False, compare=False)
    ca_file: str | None = field(default=None, compare=False)
    """PEM file that verifies the server when `tls`; None is the system's store."""
    weight: int = field(default=1, compare=False)
    current: bool = field(default=True, compare=False)
    """False for a server older than version 6.0, which is never chosen (F43)."""
    drain: bool = field(default=False, compare=False)


class NameKind(Enum):
    """How a user or a mailbox is named."""

    ADDRESS = "address"
    """An SMTP address: `anna@adatum.com`, from a URL (F14, F15)."""
    PRINCIPAL = "principal"
    """`name@domain` typed at a logon: user principal name, or an address."""
    ACCOUNT = "account"
    """A bare logon name, its domain (if any) kept apart."""


class AccountName(NamedTuple):
    """What the directory is asked for. Values are compared as they stand: make them lower-case."""

    kind: NameKind
    value: str
    domain: str = ""
    """NetBIOS or DNS domain that came with an ACCOUNT name (`DOMAIN\\name`) or the configured default; may be empty."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user or mailbox as the directory knows it."""

    dn: str
    name: str
    """The logon name for log lines and for the URL where there is no address (uid, sAMAccountName or UPN)."""
    identity: bytes
    """What users are hashed by (F44): the SID, else the entry's UUID, else the DN; raw bytes."""
    addresses: tuple[str, ...]
    """SMTP addresses in lower case, the primary one first; may be empty."""
    home: Server | None
    """The home server; None where the directory names none (the mailbox does not exist then, F19)."""
    store: str | None = None
    """DN of the mailbox store, None where the schema has none."""
    public_server: Server | None = None
    """Owner of the mailbox store's public store (F41); None where there is none."""
    http_enabled: bool = True
    """False when the directory switches HTTP access off for this user (F18)."""


@dataclass(frozen=True, slots=True)
class NoAccount:
    """Nobody has that name (F19)."""


@dataclass(frozen=True, slots=True)
class AmbiguousAccount:
    """Two or more entries match; never one of them is chosen (F19). The DNs are for the log only."""

    dns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DirectoryAway:
    """No directory server answers and nothing usable is cached (F21)."""

    reason: str
    retry_after: int = 5
    """Seconds a client is told to wait."""


AccountAnswer = Account | NoAccount | AmbiguousAccount | DirectoryAway
HoldersAnswer = tuple[Server, ...] | DirectoryAway
"""The servers that hold a tree, in the directory's order by name."""


class LogonCause(Enum):
    """Why a logon was refused: for the log; the client never sees which (F27)."""

    MALFORMED = "malformed credentials"
    EMPTY = "empty name or password"
    UNKNOWN = "unknown user"
    AMBIGUOUS = "more than one entry matches"
    WRONG = "wrong password"
    LOCKED = "locked"
    DISABLED = "disabled"
    EXPIRED = "password expired"
    MUST_CHANGE = "password must be changed"
    ACCOUNT_EXPIRED = "account expired"


@dataclass(frozen=True, slots=True)
class LoggedOn:
    """An authenticated user."""

    name: str
    """What the user typed, as text, for the log."""
    account: Account


@dataclass(frozen=True, slots=True)
class LogonRefused:
    """The credentials do not open the door."""

    cause: LogonCause
    name: str = ""
    """What the user typed, for the log; never a password."""
    detail: str = ""
    """For the log: e.g. the DNs that match; never a credential."""


LogonAnswer = LoggedOn | LogonRefused | DirectoryAway


class RequestHead:
    """One request's head, parsed (RFC 9112 section 2 to 6); everything is the client's bytes unless said otherwise.

    Nobody changes one after the parser made it. Its repr shows no header, for headers carry credentials.
    """

    __slots__ = ("host", "keep_alive", "length", "lines", "method", "minor", "noted", "path", "raw_target", "target")

    def __init__(
        self,
        method: bytes,
        target: bytes,
        path: bytes,
        minor: int,
        host: bytes,
        lines: bytes,
        noted: dict[bytes, bytes],
        length: int,
        keep_alive: bool,
        raw_target: bytes,
    ) -> None:
        self.method = method
        self.target = target
        """The request target in origin-form (RFC 9112 3.2.1), or `*`: an absolute-form target has lost scheme and authority."""
        self.path = path
        """The target without its query, as sent."""
        self.minor = minor
        """0 or 1: the minor HTTP version."""
        self.host = host
        """The authority from Host or from an absolute-form target, as sent; empty where an HTTP/1.0 client sent none."""
        self.lines = lines
        """The header section as sent, every line with its CRLF, without the empty line."""
        self.noted = noted
        """Fields that exfront looks at, by lower-case name; repeated ones joined with `, ` (RFC 9110 5.2)."""
        self.length = length
        """Bytes of body, -1 for a chunked one, 0 for none."""
        self.keep_alive = keep_alive
        """Whether the client's connection may carry another request."""
        self.raw_target = raw_target
        """The request target as sent, for the log."""

    def __repr__(self) -> str:
        return f"<RequestHead {self.method!r} {self.target!r}>"


class ResponseHead:
    """One response's head from a back-end. Nobody changes one after the parser made it."""

    __slots__ = ("keep_alive", "length", "lines", "minor", "noted", "reason", "status")

    def __init__(
        self,
        status: int,
        reason: bytes,
        minor: int,
        lines: bytes,
        noted: dict[bytes, bytes],
        length: int,
        keep_alive: bool,
    ) -> None:
        self.status = status
        self.reason = reason
        self.minor = minor
        self.lines = lines
        self.noted = noted
        self.length = length
        """Bytes of body, -1 for a chunked one, -2 for one that ends with the connection, 0 for none."""
        self.keep_alive = keep_alive

    def __repr__(self) -> str:
        return f"<ResponseHead {self.status}>"


class AskLogon(NamedTuple):
    """Verdict: the client has to say who it is (401)."""

    reason: str


class AskDirectory(NamedTuple):
    """Verdict: route again once the directory has said who these are, in this order; the first that exists counts."""

    names: tuple[AccountName, ...]


class AskHolders(NamedTuple):
    """Verdict: route again once the directory has said which servers hold a tree (its DN; empty for the default tree)."""

    tree: str


class Redirect(NamedTuple):
    """Verdict: send the client elsewhere on this front-end."""

    location: bytes
    status: int = 302


class Refuse(NamedTuple):
    """Verdict: answer with an error page."""

    status: int
    reason: str
    """For the log line, in lower case: `no-mailbox`, `ambiguous`, `http-disabled` …"""
    detail: str = ""
    """For the log only."""
    retry_after: int = 0
    """Seconds the client is told to wait before it asks again; 0 says nothing (RFC 9110 10.2.3)."""


class Forward(NamedTuple):
    """Verdict: the plan. Candidates in order; every one at most once."""

    candidates: tuple[Server, ...]
    target: bytes
    """The request target the back-end gets."""


Verdict = AskLogon | AskDirectory | AskHolders | Redirect | Refuse | Forward
