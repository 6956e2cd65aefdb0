"""Reads a configuration: INI text in, `Settings` out, or every mistake at once (C1).

Owns the order of the work (bytes, syntax, sections, checks, settings) and the defaults that depend on other sections. Everything else
has its own module: syntax in `ini`, vocabulary in `tables`, one section in `sections`, rules between them in `checks`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exfront.config import tables
from exfront.config.checks import all_checks
from exfront.config.ini import decoded, parts_of
from exfront.config.mistakes import Mistake
from exfront.config.sections import Draft, Section, section_of
from exfront.config.settings import (
    DirectorySettings,
    Failover,
    FrontEnd,
    Kind,
    Settings,
    Store,
    Tls,
    VirtualDirectory,
    VirtualServer,
)
from exfront.errors import ConfigurationError

if TYPE_CHECKING:
    from exfront.config.tables import Table


def load(path: Path | str) -> Settings:
    """What the file at `path` says, complete with defaults; its paths are absolute.

    Reads the file and the files that it names (secrets, certificates, LDIF: those have to be there). Raises ConfigurationError with
    every mistake, in the order of lines.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError([Mistake(str(path), 0, "", "", f"cannot be read: {reason}")]) from None
    return settings_of(content, path)


def settings_of(content: bytes, path: Path | str) -> Settings:
    """What `content` says as the file at `path`. Raises ConfigurationError."""
    file, place = str(path), Path(path).absolute()
    text, faults = decoded(content)
    parts, bogus = parts_of(text)
    mistakes = [Mistake(file, fault.line, fault.title, "", fault.text) for fault in faults + bogus]
    sections: list[Section] = []
    for part in parts:
        section, found = section_of(part, file, place.parent)
        mistakes += found
        if section is not None:
            sections.append(section)
    draft = Draft(file, tuple(sections))
    mistakes += all_checks(draft)
    if mistakes:
        raise ConfigurationError(sorted(dict.fromkeys(mistakes), key=lambda one: one.line))
    return _settings(draft, place)


def _settings(draft: Draft, file: Path) -> Settings:
    return Settings(
        file=file,
        front_end=_front_end(draft),
        tls=_only(draft, tables.TLS) or Tls(),
        directory=_directory(draft),
        virtual_servers=tuple(_named(draft, tables.VIRTUAL_SERVER)) or (VirtualServer("default"),),
        virtual_directories=tuple(_named(draft, tables.VIRTUAL_DIRECTORY)) or _fresh_directories(),
        back_ends=tuple(_named(draft, tables.BACK_END)),
        failover=_only(draft, tables.FAILOVER) or Failover(),
        store=_only(draft, tables.STORE) or Store(),
    )


def _fields(section: Section) -> dict[str, Any]:
    """The dataclass's arguments; lists without what stands in them twice (F11)."""
    return {
        name: tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value
        for name, value in section.fields().items()
    }


def _only(draft: Draft, table: Table) -> Any:
    """What the one section of that kind says, None where there is none."""
    return next((table.fills(**_fields(section)) for section in draft.of(table.title)), None)


def _named(draft: Draft, table: Table) -> list[Any]:
    lower = table is tables.BACK_END
    return [table.fills(name=one.name.lower() if lower else one.name, **_fields(one)) for one in draft.of(table.title)]


def _front_end(draft: Draft) -> FrontEnd:
    settings: FrontEnd = _only(draft, tables.FRONT_END) or FrontEnd()
    listens = any("listen" in section.given for section in draft.of("front-end"))
    encrypts = any("certificates" in section.values for section in draft.of("tls"))
    return replace(settings, listen=(*settings.listen, "tls:443")) if encrypts and not listens else settings


def _directory(draft: Draft) -> DirectorySettings | None:
    for section in draft.of("directory"):
        fields = _fields(section)
        fields.setdefault("configuration_base", fields.get("base", ""))
        return DirectorySettings(**fields)
    return None


def _fresh_directories() -> tuple[VirtualDirectory, ...]:
    """The virtual directories of a configuration that names none (F11)."""
    return VirtualDirectory("exchange", "/exchange", Kind.MAILBOX), VirtualDirectory("public", "/public", Kind.PUBLIC)
