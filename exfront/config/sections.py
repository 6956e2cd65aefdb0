"""One section of the file, checked key by key against its table.

Owns what can be said of a section alone: unknown, repeated and missing keys, values that do not have their form, keys of another kind,
values that are not served. Rules between keys and sections are in `exfront.config.checks`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exfront.config.forms import Unfit
from exfront.config.mistakes import Mistake, did_you_mean, sensitive, shown
from exfront.config.tables import TABLES, Key, Table, table_of
from exfront.config.unserved import unserved, unserved_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exfront.config.forms import Form
    from exfront.config.ini import Item, Part, Piece

_WORD = re.compile(r"[\w-]+")
_ASSIGNMENT = re.compile(r"[\w-]+\s*=")
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
    items: dict[str, tuple[tuple[Any, int], ...]] = field(default_factory=dict)
    """By key of a list: the items that have their form, each with its line; also where another item is wrong."""

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

    def server_names(self) -> list[str]:
        """The virtual servers that there are, the one that is there by default too."""
        return [one.name for one in self.of("virtual-server")] or ["default"]

    def servers_of(self, virtual_directory: Section) -> list[Section]:
        """The virtual servers that a virtual directory belongs to, as far as they have sections."""
        names = virtual_directory.values.get("server", ()) or self.server_names()
        return [one for one in self.of("virtual-server") if one.name in names]


def section_of(part: Part, file: str, folder: Path) -> tuple[Section | None, list[Mistake]]:
    """The section that `part` is, None where there is no such kind, and every mistake in it."""
    if part.line == 0:
        text = "found a key before the first [section]"
        return None, [Mistake(file, item.line, "", _presentable(item.key), text) for item in part.items]
    kind, _, name = part.title.partition(" ")
    name = name.strip()
    table = table_of(kind)
    complaint = _title_complaint(part.title, kind, name, table)
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
        if key is None:
            yield section.mistake(_presentable(item.key), _unknown_key(section.table, item.key), item.line)
        elif item.key in seen:
            text = f"found a second time, allowed is once; the first is in line {seen[item.key]}"
            yield section.mistake(item.key, text, item.line)
        else:
            seen[item.key] = item.line
            yield from _read_item(section, key, item, folder)


def _presentable(key: str) -> str:
    """The first word of a key that is not known: a password may have got into it, where "=" was forgotten and another one follows."""
    word = _WORD.match(key)
    return word[0] if word else ""


def _unknown_key(table: Table, name: str) -> str:
    if not name:
        return "found nothing before the '=', allowed is key = value"
    elsewhere = [f"[{one.title}]" for one in TABLES if one.key(name)]
    if elsewhere:
        return f"found a key of {' and '.join(elsewhere)}, allowed are the keys of [{table.title}]"
    known = [one.name for one in table.keys]
    return f"found an unknown key, allowed are {', '.join(known)}{did_you_mean(name, known)}"


def _read_item(section: Section, key: Key, item: Item, folder: Path) -> Iterator[Mistake]:
    """Puts the value into the section, or tells every mistake in it."""
    if not item.pieces:
        if key.default or key.required:
            yield section.mistake(key.name, f"found nothing, allowed is {allowed(section.table, key)}", item.line)
        return
    section.given[key.name] = item.line
    runaway = _runaway(key.form, item.pieces)
    if runaway is not None:
        yield section.mistake(key.name, runaway.text, runaway.line)
        return
    items, mistakes = [], []
    for piece in item.pieces:
        for text in _split(key.form, piece.text):
            value, complaint = _parsed(
                section.table, key, text, folder, hidden=key.form.secret or sensitive(piece.text)
            )
            if complaint:
                mistakes.append(section.mistake(key.name, complaint, piece.line))
            else:
                items.append((value, piece.line))
    yield from mistakes
    if key.form.separator is not None:
        section.items[key.name] = tuple(items)
    if not mistakes:
        values = tuple(value for value, _ in items)
        section.values[key.name] = values[0] if key.form.separator is None else values


def _runaway(form: Form, pieces: tuple[Piece, ...]) -> Piece | None:
    """The first further line of a value that was not meant to be one, and what is to be said of it (not the line itself)."""
    for piece in pieces[1:]:
        if _ASSIGNMENT.match(piece.text):
            return piece._replace(
                text="found a further line of the value with '=' in it, allowed is a key at the line's beginning"
            )
        if form.separator is None:
            return piece._replace(
                text="found a further line of the value, allowed is one line; only such lines are indented"
            )
    return None


def _split(form: Form, text: str) -> list[str]:
    return [text] if form.separator is None else [one for one in re.split(form.separator, text) if one]


def _parsed(table: Table, key: Key, text: str, folder: Path, hidden: bool) -> tuple[Any, str]:
    """The value and no complaint, or a complaint."""
    found = "a text" if hidden else shown(text)
    try:
        value = key.form.parse(text, folder)
    except ValueError as error:
        why = f" ({error})" if isinstance(error, Unfit) else ""
        guess = did_you_mean(text, _served(table, key))
        return None, f"found {found}{why}, allowed is {allowed(table, key)}{guess}"
    refusal = unserved(table.title, key.name, text)
    if refusal is not None:
        return None, f"found {found}, which is not served by this version, allowed is {refusal.allowed}"
    return value, ""


def allowed(table: Table, key: Key) -> str:
    """What a value of the key may be, without what this version does not serve."""
    served = _served(table, key)
    return key.form.allowed if len(served) == len(key.form.choices) else ", ".join(served)


def _served(table: Table, key: Key) -> list[str]:
    """The choices of the key that this version serves."""
    refused = tuple(unserved_values(table.title, key.name))
    return [word for word in key.form.choices if not word.startswith(refused)]


def _missing(section: Section) -> Iterator[Mistake]:
    for key in section.table.keys:
        if key.required and key.name not in section.given:
            yield section.mistake(key.name, f"found nothing, allowed is {allowed(section.table, key)}")


def _foreign(section: Section) -> Iterator[Mistake]:
    """Keys that another kind has, when this section's kind is known."""
    selector = section.table.selector
    if section.refused(selector):
        return
    kind = section.values.get(selector, section.table.default(selector))
    if kind is None:
        return
    for name, line in section.given.items():
        key = section.table.key(name)
        if key and key.only and kind not in key.only:
            others = " or ".join(str(one.value) for one in key.only)
            yield section.mistake(
                name, f"found with {selector} = {kind.value}, allowed with {selector} = {others}", line
            )
