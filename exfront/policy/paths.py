"""Which paths are safe, which virtual directory and which mailbox they name (F7, F12 to F16).

Owns the reading of a request's path for matching. What is forwarded is never made here but for one case, implicit logon, and
there the client's own bytes are kept around the mailbox. Knows no directory and no server.

A path is read the way the most generous back-end might read it: escapes decoded again and again, backslashes and `%2F` as
separators, `;parameters` cut off. If that reading holds a dot segment, the path is refused: no back-end can then be led
elsewhere than where the front-end looked (RFC 3986 5.2.4, 6.2.2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

Leaf = TypeVar("Leaf")

_NAME = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~@!$&'()*+,=:."
"""What stands for itself in a segment (RFC 3986 3.3), but for `;`: nothing to decode and nothing to encode."""
_USUAL = _NAME + b"/%"
_SUSPECT = re.compile(
    rb"%(?!2[0-46-9A-Da-d]|3[0-9AC-Fac-f]|[46][0-9A-Fa-f]|5[0-9ABD-Fabd-f]|7[0-9A-Ea-e]"
    rb"|[89ABab][0-9A-Fa-f]|[Cc][2-9A-Fa-f]|[Dd][0-9A-Fa-f]|[Ee][1-9A-Fa-f]|[Ff][1-4])|%20(?:[./]|$)|[./]%20"
)
"""Escapes that need the careful reading: broken ones, `%`, `.`, `/`, `;`, `\\`, controls, overlong UTF-8, blanks at a name's ends."""
_PERCENT, _SLASH = b"%/"
"""As numbers: looking for a number in bytes takes a fifth of the time."""
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_OVERLONG = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]")
"""UTF-8 that hides an ASCII character in more bytes than it needs, such as C0 AE for a dot (RFC 3629 section 3)."""
_SEPARATOR = re.compile(rb"[/\\]")
_NO_NAME = re.compile(r"[\x00-\x20\x7f\x85\xa0/\\;\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_ROUNDS = 3
_LONGEST_NAME = 320
"""Characters in an SMTP address: 64 + 1 + 255 (RFC 5321 4.5.3.1)."""


def _plain_segments(path: bytes, most: int) -> tuple[bytes, ...]:
    """The segments of a path that needs no care, decoded and in lower case; at least the first `most` of them."""
    parts = path[1:].lower().split(b"/", most)
    if _PERCENT in path:
        parts = [unquote_to_bytes(one).lower() if _PERCENT in one else one for one in parts[:most]]
    return tuple(parts)


def _needs_care(path: bytes) -> bool:
    """Whether the generous reading of a path can differ from the plain one."""
    if path.translate(None, _USUAL) or path.find(b"//") >= 0 or path.find(b"/.") >= 0 or not path or path[0] != _SLASH:
        return True
    return _PERCENT in path and _SUSPECT.search(path) is not None


def _careful_segments(path: bytes) -> tuple[bytes, ...] | None:
    """The segments of any path for matching (decoded once, ASCII in lower case, parameters cut off), or None: answer 400.

    `/Exchange/anna/` gives `(b"exchange", b"anna", b"")`. `%2F` inside a segment stays part of it. None for a path that does not
    begin with `/`, holds a dot segment in any reading, a malformed escape, a control character or overlong UTF-8.
    """
    if path[:1] != b"/" or _BAD_ESCAPE.search(path) is not None or _bold_segments(path) is None:
        return None
    return tuple(unquote_to_bytes(one.partition(b";")[0]).lower() for one in path[1:].split(b"/"))


def _hides_more(segment: bytes) -> bool:
    """Whether the segment's parameters hold a separator in any reading: `exchange;x=%2Fbob` (the path passed `_bold_segments`)."""
    parameters = segment.partition(b";")[2]
    for _ in range(_ROUNDS if _PERCENT in parameters else 0):
        parameters = unquote_to_bytes(parameters)
    return _SEPARATOR.search(parameters) is not None


def _bold_segments(path: bytes) -> tuple[bytes, ...] | None:
    """The most generous reading of a path, without its empty segments; None where that reading is not safe."""
    for _ in range(_ROUNDS):
        decoded = unquote_to_bytes(path)
        if decoded == path:
            break
        path = decoded
    else:
        # Still not done: nobody escapes an honest name so often. It also bounds the work.
        if unquote_to_bytes(path) != path:
            return None
    if _CONTROL.search(path) is not None or _OVERLONG.search(path) is not None:
        return None
    # Windows takes no notice of spaces at a name's end, servlet containers none of parameters.
    segments = [one.partition(b";")[0].strip(b" ").lower() for one in _SEPARATOR.split(path)]
    if b"." in segments or b".." in segments:
        return None
    return tuple(filter(None, segments))


class Paths(Generic[Leaf]):
    """The virtual directories of one virtual server by path: the longest match wins, on whole segments (F7)."""

    __slots__ = ("_deepest", "_depths", "_leaves")

    def __init__(self, leaves: Mapping[bytes, Leaf]) -> None:
        self._leaves: dict[tuple[bytes, ...], Leaf] = {tuple(_configured(path)): leaf for path, leaf in leaves.items()}
        self._depths = sorted({len(one) for one in self._leaves}, reverse=True)
        self._deepest = max(self._depths, default=0)
        """Segments beyond this one lead nowhere else, so they need not be looked at."""

    def find(self, path: bytes) -> tuple[bool, Leaf | None]:
        """Whether the path is safe (else answer 400) and the leaf it leads to, None where there is none (404).

        A path is not safe either when a back-end that merges slashes, or takes `%2F` for one, would find another leaf, or find in the
        parameters of a virtual directory's own name what comes behind it: the mailbox.
        """
        if not _needs_care(path):
            return True, self._longest(_plain_segments(path, self._deepest))
        segments = _careful_segments(path)
        if segments is None or any(map(_hides_more, path[1:].split(b"/", self._deepest)[: self._deepest])):
            return False, None
        leaf = self._longest(segments)
        return (True, leaf) if leaf is self._longest(_bold_segments(path) or ()) else (False, None)

    def _longest(self, segments: tuple[bytes, ...]) -> Leaf | None:
        leaves = self._leaves
        for depth in self._depths:
            leaf = leaves.get(segments[:depth])
            if leaf is not None:
                return leaf
        return None


def _configured(path: bytes) -> list[bytes]:
    return [one for one in path.lower().split(b"/") if one]


def depth_of(path: bytes) -> int:
    """How many segments a virtual directory's path has; 0 for `/`."""
    return len(_configured(path))


def mailbox_of(path: bytes, depth: int) -> str | None:
    """The mailbox a safe path names below a virtual directory of `depth` segments, as text in lower case.

    Empty for implicit logon: the path is the directory's, with or without a slash (F12). None where the path names no mailbox
    and never could (404): an empty segment, invalid UTF-8, white space, a separator or parameters in the name.
    """
    parts = path.split(b"/", depth + 2)
    if len(parts) <= depth + 1:
        return ""
    raw = parts[depth + 1]
    if not raw:
        return "" if len(parts) == depth + 2 else None
    if len(raw) <= _LONGEST_NAME and not raw.translate(None, _NAME):
        return raw.decode("ascii").lower()
    try:
        name = (unquote_to_bytes(raw) if _PERCENT in raw else raw).decode("utf-8").lower()
    except UnicodeDecodeError:
        return None
    return None if len(name) > _LONGEST_NAME or _NO_NAME.search(name) is not None else name


def implicit_target(target: bytes, mailbox: str) -> bytes:
    """The target of an implicit logon with the mailbox put in: `/exchange?Cmd=x` gives `/exchange/anna/?Cmd=x` (F12).

    `target` is a directory's own path, with or without a slash and a query, whose bytes are kept. The mailbox becomes one segment,
    percent-encoded where it must be (`@` stays); it must not be empty, `.` or `..`.
    """
    path, mark, query = target.partition(b"?")
    segment = mailbox.encode()
    if segment.translate(None, _NAME):
        segment = quote(segment, safe=_NAME.decode("ascii")).encode("ascii")
    return b"".join((path, b"" if path.endswith(b"/") else b"/", segment, b"/", mark, query))
