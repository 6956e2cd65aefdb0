"""One mistake in a configuration, and how it reads (C1).

Owns the wording that all mistakes share: what was found, what is allowed, did you mean. Knows no key and no section.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_SHOWN = 80
"""Characters of a found text that a mistake repeats."""


class Mistake(NamedTuple):
    """Where and what: `FILE:LINE: [section] key: text`."""

    file: str
    line: int
    """Counted from 1; 0 where no line can be named."""
    section: str
    """Empty where the file itself is the mistake."""
    key: str
    """Empty where the section itself is the mistake."""
    text: str
    """What was found, what is allowed, and "did you mean" where a name is close."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        place = f"[{self.section}] {self.key}".rstrip() if self.section else self.key
        return ": ".join(one for one in (where, place, self.text) if one)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the known name that is closest to `word`, an empty text where none is close."""
    by_folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower()[:MOST_SHOWN], by_folded, 1)
    return f", did you mean '{by_folded[close[0]]}'?" if close else ""


def sensitive(line: str) -> bool:
    """Whether a line of the file looks as if a credential stood in it, so that nothing of it is to be shown."""
    return bool(_CREDENTIAL.search(line) or _USER_INFO.search(line))


def shown(text: str) -> str:
    """`text` in quotes as a mistake may repeat it."""
    return f"'{text[:MOST_SHOWN]}…'" if len(text) > MOST_SHOWN else f"'{text}'"


_USER_INFO = re.compile("//.*@")
_CREDENTIAL = re.compile(r"(pass|pwd|secret)\w*\W+\w", re.IGNORECASE)
