"""Cuts a byte stream into LDAP messages (RFC 4511 section 5.1: BER, definite lengths only).

Owns where one message ends and the next begins. Refuses to know what is inside, who sent it and what it came over.
"""

from __future__ import annotations

from exfront.directory.trouble import BrokenMessage

LARGEST = 8 * 1024 * 1024
"""Most bytes of one message, its header included: an entry with every attribute of a large group fits."""

_SEQUENCE = 0x30
_LENGTH_OCTETS = 4


class Framer:
    """Feed it bytes, take whole messages out one at a time.

    One at a time matters: at StartTLS whoever takes the answer out has to see whether anything stands behind it (`pending`).
    """

    __slots__ = ("_buffer", "_whole")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._whole = 0  # bytes of the message at the front, 0 while its header is incomplete

    @property
    def pending(self) -> int:
        """Bytes that came and were not taken out."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Append what came from the wire."""
        self._buffer += data

    def take(self) -> bytes | None:
        """The next whole message with its header, or None until more bytes come. Raises BrokenMessage."""
        whole = self._whole or self._measure()
        buffer = self._buffer
        if not whole or len(buffer) < whole:
            return None
        message = bytes(buffer[:whole])
        del buffer[:whole]
        self._whole = 0
        return message

    def _measure(self) -> int:
        buffer = self._buffer
        if not buffer:
            return 0
        if buffer[0] != _SEQUENCE:
            raise BrokenMessage("the server sent something that is not LDAP")
        if len(buffer) < 2:
            return 0
        whole, octets = 2 + buffer[1], 0
        if buffer[1] >= 0x80:
            octets = buffer[1] & 0x7F
            if not 1 <= octets <= _LENGTH_OCTETS:
                raise BrokenMessage("the server sent a message without a usable length")
            if len(buffer) < 2 + octets:
                return 0
            whole = 2 + octets + int.from_bytes(buffer[2 : 2 + octets], "big")
        if whole > LARGEST:
            raise BrokenMessage(f"the server sent a message larger than {LARGEST} bytes")
        self._whole = whole
        return whole
