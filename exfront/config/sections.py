"""One section of the file, checked key by key against its table.

Owns what can be said of a section alone: unknown, repeated and missing keys, values that do not have their form, keys of another kind,
values that are not served. Rules between keys and sections are in `exfront.config.checks`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exfront.config.mistakes import Mistake, did_you_mean, shown
from exfront.config.tables import TABLES, Key, Table, table_of
from exfront.config.unserved import UNSERVED, unserved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exfront.config.forms import Form
    from exfront.config.ini import Item, Part, Piece

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


@dataclass(slots=True)
class Section:
    """A section of a known kind while the file is being checked."""

    file: str
    table: Table
    title: str
    """As it stands in the file: `virtual-server default`."""
    name: str
    """What stands behind the kind; empty for sections that have no name."""
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    """By key: the values that have their form. An empty one is not there."""
    given: dict[str, int] = field(default_factory=dict)
    """By key: the line, for every key that has a value, be it right or wrong."""
    item_lines: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """By key: the line of each item of a list in `values`."""

    def mistake(self, key: str, text: str, line: int | None = None) -> Mistake:
        """A mistake at `line`, or where the key (else the section) stands."""
        return Mistake(self.file, line or self.given.get(key, self.line), self.title, key, text)

    def refused(self, key: str) -> bool:
        """Whether `key` was given and is wrong: then nothing follows from its absence in `values`."""
        return key in self.given and key not in self.values

    def fields(self) -> dict[str, Any]:
        """The values by the fields of the settings' dataclass."""
        return {key.field or key.name: self.values[key.name] for key in self.table.keys if key.name in self.values}


@dataclass(frozen=True, slots=True)
class Draft:
    """The whole file while it is being checked."""

    file: str
    sections: tuple[Section, ...]
    """In the file's order, repeated ones apart."""

    def of(self, title: str) -> list[Section]:
        """The sections of one kind."""
        return [one for one in self.sections if one.table.title == title]


def section_of(part: Part, file: str, folder: Path) -> tuple[Section | None, list[Mistake]]:
    """The section that `part` is, None where there is no such kind, and every mistake in it."""
    kind, _, name = part.title.partition(" ")
    name = name.strip()
    table = table_of(kind)
    complaint = _title_complaint(part.title, kind, name, table)
    if part.line == 0:
        return None, [Mistake(file, item.line, "", item.key, "found a key before the first [section]") for item in part.items]
    mistakes = [Mistake(file, part.line, part.title, "", complaint)] if complaint else []
    if table is None:
        return None, mistakes
    section = Section(file, table, part.title, name, part.line)
    mistakes += _read_items(section, part.items, folder)
    mistakes += _missing(section)
    mistakes += _foreign(section)
    return section, mistakes


def _title_complaint(title: str, kind: str, name: str, table: Table | None) -> str:
    if table is None:
        titles = [f"{one.title} NAME" if one.named else one.title for one in TABLES]
        guess = did_you_mean(kind, [one.title for one in TABLES])
        return f"found an unknown section, allowed are {', '.join(f'[{one}]' for one in titles)}{guess}"
    if table.named and not name:
        return f"found no name, allowed is [{kind} NAME]"
    if table.named and not _NAME.fullmatch(name):
        return f"found the name {shown(name)}, allowed are letters, digits, '.', '_' and '-', a letter or digit first"
    if name and not table.named:
        return f"found {shown(title)}, allowed is [{kind}] without a name"
    return ""


def _read_items(section: Section, items: tuple[Item, ...], folder: Path) -> Iterator[Mistake]:
    seen: dict[str, int] = {}
    for item in items:
        key = section.table.key(item.key)
        if item.key in seen:
            yield section.mistake(item.key, f"found a second time, allowed is once; the first is in line {seen[item.key]}", item.line)
        elif key is None:
            yield section.mistake(item.key, _unknown_key(section.table, item.key), item.line)
        else:
            yield from _read_item(section, key, item, folder)
        seen.setdefault(item.key, item.line)


def _unknown_key(table: Table, name: str) -> str:
    elsewhere = [f"[{one.title}]" for one in TABLES if one.key(name)]
    if elsewhere:
        return f"found a key of {' and '.join(elsewhere)}, allowed are the keys of [{table.title}]"
    known = [one.name for one in table.keys]
    return f"found an unknown key, allowed are {', '.join(known)}{did_you_mean(name, known)}"


def _read_item(section: Section, key: Key, item: Item, folder: Path) -> Iterator[Mistake]:
    if not item.pieces:
        if key.default or key.required:
            yield section.mistake(key.name, f"found nothing, allowed is {_allowed(section.table, key)}", item.line)
        return
    section.given[key.name] = item.line
    if key.form.separator is None and len(item.pieces) > 1:
        where = item.pieces[1].line
        yield section.mistake(key.name, "found a value that goes on, allowed is one line; only further lines of a value are indented", where)
        return
    values, mistakes = [], []
    pieces = _split(key.form, item.pieces)
    for piece in pieces:
        try:
            values.append(key.form.parse(piece.text, folder))
        except ValueError as error:
            mistakes.append(section.mistake(key.name, _wrong(section.table, key, piece.text, str(error)), piece.line))
            continue
        refusal = unserved(section.table.title, key.name, piece.text)
        if refusal:
            found = "" if key.form.secret else f"found {shown(piece.text)}, which "
            mistakes.append(section.mistake(key.name, f"{found}is not served by this version; {refusal.served}", piece.line))
    yield from mistakes
    if mistakes:
        return
    if key.form.separator is None:
        section.values[key.name] = values[0]
    else:
        section.values[key.name] = tuple(values)
        section.item_lines[key.name] = tuple(piece.line for piece in pieces)


def _split(form: Form, pieces: tuple[Piece, ...]) -> list[Piece]:
    if form.separator is None:
        return list(pieces)
    return [piece._replace(text=text) for piece in pieces for text in re.split(form.separator, piece.text) if text]


def _wrong(table: Table, key: Key, text: str, why: str) -> str:
    found = "a text" if key.form.secret else shown(text)
    return f"found {found}{f' ({why})' if why else ''}, allowed is {_allowed(table, key)}{did_you_mean(text, key.form.choices)}"


def _allowed(table: Table, key: Key) -> str:
    """What the key allows, without what this version does not serve."""
    refused = {one.beginning for one in UNSERVED if (one.section, one.key) == (table.title, key.name)}
    if refused.isdisjoint(key.form.choices):
        return key.form.allowed
    return ", ".join(word for word in key.form.choices if word not in refused)


def _missing(section: Section) -> Iterator[Mistake]:
    for key in section.table.keys:
        if key.required and key.name not in section.given:
            yield section.mistake(key.name, f"found nothing, allowed is {_allowed(section.table, key)}")


def _foreign(section: Section) -> Iterator[Mistake]:
    """Keys that another kind has, when this section's kind is known."""
    selector = section.table.selector
    if not selector or section.refused(selector):
        return
    default = section.table.fills.__dataclass_fields__[selector].default
    kind = section.values.get(selector, default)
    for name, line in section.given.items():
        key = section.table.key(name)
        if key and key.only and kind not in key.only and hasattr(kind, "value"):
            others = " or ".join(str(one.value) for one in key.only)
            yield section.mistake(name, f"found with {selector} = {kind.value}, allowed with {selector} = {others}", line)
