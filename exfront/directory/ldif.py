"""The embedded directory: an LDIF file (RFC 2849) in memory, as a source of entries and passwords.

For demonstrations, tests and small sites. Owns the entries and their indexes; the file is read again when it has changed. Knows
nothing of schemas: values are compared without regard to case and repeated spaces, names of entries as names.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ldaptor.protocols.ldap.ldifprotocol import LDIF, LDIFParseError
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from exfront.directory.dn import normal_dn
from exfront.directory.interface import Bound, Entry, Query
from exfront.directory.matching import Store
from exfront.directory.userpassword import accepts
from exfront.errors import DirectoryError
from exfront.model import LogonCause

if TYPE_CHECKING:
    from pathlib import Path

    from twisted.internet.interfaces import IReactorTime

HIDDEN = frozenset({"userpassword"})
"""Neither given out nor looked at by a search."""
LOCKED_ATTRIBUTE = "pwdaccountlockedtime"
MUST_CHANGE_ATTRIBUTE = "pwdreset"


class LdifSource:
    """A `Source` on a file. Raises DirectoryError, naming file and line, when the file cannot be read at first.

    A file that turns bad later is logged, and what was read before goes on being used.
    """

    _log = Logger()

    def __init__(self, path: Path, clock: IReactorTime) -> None:
        self._path = path
        self._clock = clock
        self._state = self._stat()
        self._store = read(path)

    @property
    def away(self) -> str:
        """Never away: see `Source`."""
        return ""

    def search(self, query: Query) -> Deferred[list[Entry]]:
        """See `Source`."""
        self._refresh()
        try:
            found = self._store.search(query)
        except DirectoryError as error:
            return fail(error)
        return succeed(found)

    def bind(self, dn: str, password: str) -> Deferred[Bound]:
        """See `Source`.

        `userPassword` is plain or hashed ({SSHA} and its like); of password policy, `pwdAccountLockedTime` and `pwdReset` count.
        """
        if not dn.strip() or not password.strip() or "\0" in password:
            raise ValueError("a bind needs a name and a password")
        self._refresh()
        entry = self._store.named(normal_dn(dn))
        if entry is None or not any(accepts(kept, password) for kept in entry.attributes.get("userpassword", ())):
            return succeed(Bound(LogonCause.WRONG))
        if entry.attributes.get(LOCKED_ATTRIBUTE):
            return succeed(Bound(LogonCause.LOCKED))
        if entry.attributes.get(MUST_CHANGE_ATTRIBUTE, (b"",))[0].upper() == b"TRUE":
            return succeed(Bound(LogonCause.MUST_CHANGE))
        return succeed(Bound(None))

    def start(self) -> None:
        """Nothing to connect."""

    def stop(self) -> Deferred[None]:
        """Nothing to close."""
        return succeed(None)

    def reload(self) -> None:
        """Read the file again. Raises DirectoryError, and keeps what it has, when that fails."""
        self._state = self._stat()
        self._store = read(self._path)

    def _refresh(self) -> None:
        if self._stat() == self._state:
            return
        try:
            self.reload()
        except DirectoryError as error:
            self._log.error("{reason}; the entries read before stay in use", reason=str(error))

    def _stat(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)
        except OSError:
            return (0, 0, 0)
        return (status.st_mtime_ns, status.st_size, status.st_ino)


def read(path: Path) -> Store:
    """The entries of an LDIF file. Raises DirectoryError with file and line."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise DirectoryError(f"{path}: {error.strerror}") from None
    entries: dict[str, Entry] = {}
    reader = _Reader()
    number = 0
    try:
        # The parser is a line behind, and takes an entry as finished at an empty line.
        for line in (*text.removeprefix(b"\xef\xbb\xbf").splitlines(), b"", b""):
            number += 1
            reader.lineReceived(line)
            for entry in reader.take():
                key = normal_dn(entry.dn)
                if key in entries:
                    raise DirectoryError(f"the entry {entry.dn} is there twice")
                entries[key] = entry
    except (LDIFParseError, DirectoryError, NotImplementedError, ValueError) as error:
        raise DirectoryError(f"{path}:{_place(number, reader)}: {_reason(error)}") from None
    return Store(entries, HIDDEN)


class _Reader(LDIF):  # type: ignore[misc]  # ldaptor has no types
    """ldaptor's parser, with its entries as plain dictionaries instead of objects."""

    dn: bytes | None = None
    data: dict[bytes, list[bytes]] | None = None

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def take(self) -> list[Entry]:
        """The entries finished since the last call."""
        taken, self._entries = self._entries, []
        return taken

    def state_HEADER(self, line: bytes) -> None:
        """Skips empty lines at the beginning, which the parser takes for entries."""
        if line:
            super().state_HEADER(line)

    def state_IN_ENTRY(self, line: bytes) -> None:
        """Gathers an entry's lines; an empty one ends it."""
        if line:
            super().state_IN_ENTRY(line)
            return
        assert self.dn is not None
        assert self.data is not None
        values: dict[str, tuple[bytes, ...]] = {}
        for name, several in self.data.items():
            key = name.decode().lower()
            values[key] = values.get(key, ()) + tuple(several)
        if "changetype" in values:
            raise DirectoryError("a change is not an entry")
        self._entries.append(Entry(self.dn.decode(), values))
        self.dn = self.data = None
        self.mode = b"WAIT_FOR_DN"


def _place(number: int, reader: _Reader) -> str:
    """The line where the trouble is, and the entry it is in."""
    entry = reader.dn.decode(errors="replace") if reader.dn else ""
    return f"{max(1, number - 1)}" + (f" ({entry})" if entry else "")


def _reason(error: Exception) -> str:
    """Says what is wrong without the line itself, which may hold a password."""
    if isinstance(error, LDIFParseError):
        return str(error.__doc__)
    if isinstance(error, NotImplementedError):
        return "values from other files are not read"
    if isinstance(error, DirectoryError):
        return str(error)
    return "a value that is not base64 or a name that is not UTF-8"
