"""Distinguished names as cache keys: one spelling for what a directory may write in several.

Owns nothing. Knows just enough of RFC 4514 to compare names; what is sent to a directory is always the directory's own spelling.
"""

from __future__ import annotations

import re

_PARTS = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)
"""The relative names between commas that no backslash precedes (RFC 4514 section 3)."""


def normal_dn(dn: str) -> str:
    """`dn` without regard to case and to spaces around `,` and the first `=`; any text is accepted."""
    return ",".join(filter(None, map(_normal_rdn, _PARTS.findall(dn))))


def first_value(dn: str) -> str:
    """The value of the leftmost relative name (`backend1` of `cn=backend1,dc=…`), unescaped where a single character was escaped."""
    part = _PARTS.match(dn)
    value = part.group().partition("=")[2].strip() if part else ""
    return re.sub(r"\\(.)", r"\1", value)


def is_below(normal: str, base: str) -> bool:
    """Whether a normal name is `base` (normal too) or lies below it; an empty base holds everything."""
    return not base or normal == base or normal.endswith("," + base)


def parent(normal: str) -> str:
    """The normal name one level up; empty at the top."""
    parts = _PARTS.findall(normal)
    return ",".join(parts[1:])


def _normal_rdn(part: str) -> str:
    name, equals, value = part.partition("=")
    return f"{_stripped(name)}{equals}{_stripped(value)}".casefold()


def _stripped(text: str) -> str:
    """`text` without the white space around it; a space behind a backslash belongs to the text."""
    bare = text.strip()
    backslashes = len(bare) - len(bare.rstrip("\\"))
    rest = text.lstrip()[len(bare) :]
    return bare + rest[:1] if backslashes % 2 else bare
