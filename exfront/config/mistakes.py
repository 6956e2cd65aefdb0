"""One mistake in a configuration, and how it reads (C1)."""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """Where and what: `FILE:LINE: [section] key: text`."""

    file: str
    line: int
    """Counted from 1; 0 where no line can be named."""
    section: str
    key: str
    """Empty where the section itself is the mistake."""
    text: str
    """What was found, what is allowed, and "did you mean" where a name is close."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        place = f"[{self.section}] {self.key}" if self.key else f"[{self.section}]"
        return f"{where}: {place}: {self.text}"
