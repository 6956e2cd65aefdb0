r"""Filter objects made of bytes, and RFC 4515 filter texts turned into them.

ldaptor has a parser for texts too, but it turns `\e7` into UTF-8 and refuses object identifiers; this one keeps the bytes. Values
of ours go into filter objects as they are, so nothing is ever escaped or injected. Owns no state.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ldaptor.protocols import pureldap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ldaptor.protocols.pureldap import LDAPFilter

_ITEM = re.compile(r"([A-Za-z0-9][A-Za-z0-9.;-]*)?((?::dn)?(?::[A-Za-z0-9.-]+)?:)?(=|~=|>=|<=)([^()]*)\)")
_ESCAPE = re.compile(rb"\\([0-9a-fA-F]{2})")
_COMPARISONS = {
    "=": pureldap.LDAPFilter_equalityMatch,
    "~=": pureldap.LDAPFilter_approxMatch,
    ">=": pureldap.LDAPFilter_greaterOrEqual,
    "<=": pureldap.LDAPFilter_lessOrEqual,
}
_DEEPEST = 50


def equal(attribute: str, value: str | bytes) -> LDAPFilter:
    """`(attribute=value)`."""
    return _compare(pureldap.LDAPFilter_equalityMatch, attribute, _raw(value))


def present(attribute: str) -> LDAPFilter:
    """`(attribute=*)`."""
    return pureldap.LDAPFilter_present(attribute.encode())


def any_of(filters: Iterable[LDAPFilter]) -> LDAPFilter:
    """`(|…)`, or the filter itself where there is one only."""
    return _several(pureldap.LDAPFilter_or, list(filters))


def all_of(filters: Iterable[LDAPFilter]) -> LDAPFilter:
    """`(&…)`, or the filter itself where there is one only."""
    return _several(pureldap.LDAPFilter_and, list(filters))


def parse(text: str) -> LDAPFilter:
    """The filter that `text` writes (RFC 4515). Raises ValueError with the place where it stops being one."""
    parsed, end = _parse(text.strip(), 0, 0)
    if end != len(text.strip()):
        raise ValueError(f"nothing may follow the filter at character {end + 1}")
    return parsed


def _parse(text: str, at: int, depth: int) -> tuple[LDAPFilter, int]:
    if depth > _DEEPEST or text[at : at + 1] != "(":
        raise ValueError(f"expected '(' at character {at + 1}")
    at = _behind_space(text, at + 1)
    sign = text[at : at + 1]
    if sign and sign in "&|!":
        parts, at = _parse_list(text, at + 1, depth)
        return _combine(sign, parts, at), at + 1
    item = _ITEM.match(text, at)
    if item is None:
        raise ValueError(f"expected attribute=value and ')' at character {at + 1}")
    return _item(item, at), item.end()


def _parse_list(text: str, at: int, depth: int) -> tuple[list[LDAPFilter], int]:
    parts = []
    at = _behind_space(text, at)
    while text[at : at + 1] == "(":
        part, at = _parse(text, at, depth + 1)
        parts.append(part)
        at = _behind_space(text, at)
    if text[at : at + 1] != ")" or not parts:
        raise ValueError(f"expected a filter and ')' at character {at + 1}")
    return parts, at


def _behind_space(text: str, at: int) -> int:
    """RFC 4515 has no white space between filters; people who lay out a long one do."""
    while text[at : at + 1].isspace():
        at += 1
    return at


def _combine(sign: str, parts: list[LDAPFilter], at: int) -> LDAPFilter:
    if sign == "!":
        if len(parts) != 1:
            raise ValueError(f"'!' takes one filter, at character {at + 1}")
        return pureldap.LDAPFilter_not(parts[0])
    return (all_of if sign == "&" else any_of)(parts)


def _item(item: re.Match[str], at: int) -> LDAPFilter:
    attribute, rule, sign, value = item.groups()
    if rule:
        return _extensible(attribute, rule, sign, value, at)
    if not attribute:
        raise ValueError(f"expected an attribute at character {at + 1}")
    if sign != "=" or "*" not in value:
        return _compare(_COMPARISONS[sign], attribute, _unescaped(value))
    return present(attribute) if value == "*" else _substrings(attribute, value.split("*"))


def _extensible(attribute: str | None, rule: str, sign: str, value: str, at: int) -> LDAPFilter:
    if sign != "=":
        raise ValueError(f"expected ':=' at character {at + 1}")
    parts = rule.strip(":").split(":")
    names = [part for part in parts if part and part != "dn"]
    return pureldap.LDAPFilter_extensibleMatch(
        matchingRule=names[0].encode() if names else None,
        type=attribute.encode() if attribute else None,
        matchValue=_unescaped(value),
        dnAttributes="dn" in parts,
    )


def _substrings(attribute: str, parts: list[str]) -> LDAPFilter:
    pieces = [pureldap.LDAPFilter_substrings_initial(_unescaped(parts[0]))] if parts[0] else []
    pieces += [pureldap.LDAPFilter_substrings_any(_unescaped(part)) for part in parts[1:-1] if part]
    pieces += [pureldap.LDAPFilter_substrings_final(_unescaped(parts[-1]))] if parts[-1] else []
    if not pieces:
        return present(attribute)
    return pureldap.LDAPFilter_substrings(type=attribute.encode(), substrings=pieces)


def _compare(kind: type[LDAPFilter], attribute: str, value: bytes) -> LDAPFilter:
    return kind(
        attributeDesc=pureldap.LDAPAttributeDescription(attribute.encode()),
        assertionValue=pureldap.LDAPAssertionValue(value),
    )


def _several(kind: type[LDAPFilter], filters: list[LDAPFilter]) -> LDAPFilter:
    return filters[0] if len(filters) == 1 else kind(filters)


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _unescaped(value: str) -> bytes:
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), value.encode())
