"""Helps the configuration's tests: text in, settings or mistakes out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from exfront.config.reader import settings_of
from exfront.errors import ConfigurationError

if TYPE_CHECKING:
    from exfront.config.mistakes import Mistake
    from exfront.config.settings import Settings

DIRECTORY = """
[directory]
url = ldap://directory.adatum.com
"""
"""What most configurations need besides what is tested."""


def settings_from(text: str, folder: str | Path = "/nowhere") -> Settings:
    """The settings of a right configuration that lies in `folder`."""
    return settings_of(dedent(text).encode(), Path(folder) / "fe.ini")


def mistakes_in(text: str | bytes, folder: str | Path = "/nowhere") -> tuple[Mistake, ...]:
    """The mistakes of a configuration, none where it is right."""
    content = dedent(text).encode() if isinstance(text, str) else text
    try:
        settings_of(content, Path(folder) / "fe.ini")
    except ConfigurationError as error:
        return error.mistakes
    return ()


def places_in(text: str | bytes, folder: str | Path = "/nowhere") -> list[tuple[int, str, str]]:
    """Line, section and key of each mistake."""
    return [(one.line, one.section, one.key) for one in mistakes_in(text, folder)]
