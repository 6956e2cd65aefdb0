"""INI text as `configparser` reads it, with the line of everything.

Owns the file's syntax: sections, keys, values, comments, and which bytes may be in the file at all. Refuses to know which sections and
keys there are and what their values mean.

`configparser` keeps no line numbers and gives up at the first repetition. So every line is stamped with its number before it is
parsed: `key = value` becomes `␀7␀key = value`. The stamp makes every section and key unique, travels with the continuation lines of a
value, and cannot be mistaken for text, because a NUL in the file itself is a mistake and replaced.
"""

from __future__ import annotations

import re
from configparser import ParsingError, RawConfigParser
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTE_ORDER_MARK = "\ufeff"
REPLACEMENT = "\ufffd"
STAMP = "\0"


class Piece(NamedTuple):
    """One line of a value, without comment and surrounding white space; never empty."""

    line: int
    text: str


class Item(NamedTuple):
    """`key = value`: the key in lower case, the value's lines in order (none where it is empty)."""

    line: int
    key: str
    pieces: tuple[Piece, ...]


class Part(NamedTuple):
    """A section as it stands in the file; line 0 and no title for what stands before the first one."""

    line: int
    title: str
    items: tuple[Item, ...]


class Fault(NamedTuple):
    """A line that cannot be what it is."""

    line: int
    title: str
    """The section it stands in, empty before the first one."""
    text: str


class _StampedParser(RawConfigParser):
    """A parser for stamped lines; `DEFAULT` is a section like any other."""

    SECTCRE = re.compile(r"\0(?P<header>\d+\0\[.*)\]$")

    def __init__(self) -> None:
        super().__init__(
            delimiters=("=",),
            comment_prefixes=("#", ";"),
            inline_comment_prefixes=(";",),
            default_section=STAMP,
            interpolation=None,
        )


def decoded(content: bytes) -> tuple[str, tuple[Fault, ...]]:
    """The file's text, and what is wrong with its bytes: UTF-8 without byte order mark and control characters is wanted.

    What is wrong is replaced, so that the other mistakes are found in the same run.
    """
    faults = []
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        broken = content.count(b"\n", 0, error.start) + 1
        faults.append(Fault(broken, "", f"found byte 0x{content[error.start]:02x}, allowed is UTF-8"))
        text = content.decode(errors="replace")
    if text.startswith(BYTE_ORDER_MARK):
        faults.append(Fault(1, "", "found a byte order mark, allowed is UTF-8 without one"))
        text = text.removeprefix(BYTE_ORDER_MARK)
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        control = _CONTROL.search(line)
        if control:
            faults.append(Fault(number, "", f"found control character 0x{ord(control[0]):02x}, allowed is plain text"))
            lines[number - 1] = _CONTROL.sub(REPLACEMENT, line)
    return "\n".join(lines), tuple(faults)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def parts_of(text: str) -> tuple[tuple[Part, ...], tuple[Fault, ...]]:
    """The sections of `text` in its order, repeated ones apart, and the lines that are neither section nor key.

    `text` is what `decoded` gave.
    """
    parser = _StampedParser()
    lines = text.split("\n")
    bogus: list[int] = []
    try:
        parser.read_file(_stamped(lines))
    except ParsingError as error:
        bogus = [number - 1 for number, _ in error.errors]  # the line that `_stamped` puts first is not the file's
    parts = tuple(_part(section, parser) for section in parser.sections())
    return parts, tuple(Fault(number, _title_at(parts, number), _complaint(lines[number - 1])) for number in bogus)


def _stamped(lines: list[str]) -> Iterator[str]:
    yield f"{STAMP}0{STAMP}[]"
    for number, line in enumerate(lines, 1):
        rest = line.lstrip()
        if not rest or rest[0] in "#;":
            yield line
        else:
            yield f"{line[: len(line) - len(rest)]}{STAMP}{number}{STAMP}{rest}"


def _part(section: str, parser: RawConfigParser) -> Part:
    number, _, header = section.partition(STAMP)
    items = tuple(_item(key, value) for key, value in parser.items(section))
    return Part(int(number), header.removeprefix("[").strip(), items)


def _item(stamped_key: str, value: str) -> Item:
    _, number, key = stamped_key.split(STAMP)
    first, *rest = value.split("\n")
    pieces = [Piece(int(number), first)]
    pieces += [Piece(int(line), text) for line, text in (one.split(STAMP)[1:] for one in rest if one)]
    return Item(int(number), key, tuple(piece for piece in pieces if piece.text))


def _title_at(parts: tuple[Part, ...], line: int) -> str:
    return [part.title for part in parts if part.line <= line][-1]


def _complaint(line: str) -> str:
    # the line itself is not shown: it may be a password whose "=" was forgotten
    if line.lstrip().startswith("["):
        return "found a section without its end, allowed is [section] alone on its line"
    return (
        "found a line without '=', allowed are [section], key = value, and further lines of a value, which are indented"
    )
