"""Turns a server's name into the one `Server` that is connected to: the configuration's word over the directory's.

Owns nothing but a memo of what it made, so that the same name is always the same object. Only names from the configuration or the
directory may be asked for; nothing a client wrote ever reaches this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exfront.model import Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exfront.config.settings import BackEnd


class Roster:
    """The servers there are."""

    def __init__(self, back_ends: Iterable[BackEnd]) -> None:
        self._back_ends = {one.name.lower(): one for one in back_ends}
        self._made: dict[tuple[str, str | None, bool], Server] = {}

    def server(self, name: str, address: str | None = None, *, current: bool = True) -> Server:
        """The server called `name`; `address` is what the directory says of where it is (default: the name itself).

        A `[back-end]` section counts when its name is the whole name or the name's first label, in any case.
        """
        name = name.lower().rstrip(".")
        key = (name, address, current)
        known = self._made.get(key)
        if known is None:
            known = self._made[key] = self._make(name, address, current)
        return known

    def _make(self, name: str, address: str | None, current: bool) -> Server:
        section = self._back_ends.get(name)
        if section is None and not name.replace(".", "").isdigit():
            section = self._back_ends.get(name.partition(".")[0])
        if section is None:
            return Server(name, address or name, current=current)
        return Server(
            name,
            section.address or address or name,
            section.port or (443 if section.tls else 80),
            section.tls,
            str(section.ca_file) if section.ca_file else None,
            section.weight,
            current,
            section.drain,
        )
