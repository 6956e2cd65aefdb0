"""Entries in memory with an index on every value, and LDAP filters evaluated on them (RFC 4511 4.5.1).

Owns the index. Pure but for that: no files, no clock. Equality is found in the index; other conditions are tried entry by entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldaptor.protocols import pureldap

from exfront.directory.dn import is_below, normal_dn, parent
from exfront.directory.interface import Entry, Scope
from exfront.errors import DirectoryError, SizeLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ldaptor.protocols.pureldap import LDAPFilter

    from exfront.directory.interface import Query

FEW = 16
"""So few entries are tried one by one rather than to look for fewer."""

Value = str | bytes
Values = dict[str, frozenset[Value]]


class Store:
    """Entries by their normal DN. Searches see nothing of the attributes in `hidden` (lower case)."""

    def __init__(self, entries: dict[str, Entry], hidden: frozenset[str] = frozenset()) -> None:
        self._hidden = hidden
        self._entries = entries
        self._values: dict[str, Values] = {}
        self._index: dict[tuple[str, Value], set[str]] = {}
        for dn, entry in entries.items():
            values = {
                name: frozenset(map(comparable, several))
                for name, several in entry.attributes.items()
                if name not in hidden
            }
            self._values[dn] = values
            for name, several in values.items():
                for value in several:
                    self._index.setdefault((name, value), set()).add(dn)

    def named(self, dn: str) -> Entry | None:
        """The entry with that normal DN, whole."""
        return self._entries.get(dn)

    def search(self, query: Query) -> list[Entry]:
        """The entries that match, with the attributes that were asked for: all of them for none or `*` (RFC 4511 4.5.1.8).

        Raises SizeLimitExceeded, and DirectoryError for a kind of condition that is not evaluated here.
        """
        base = normal_dn(query.base)
        candidates = self._candidates(query, base)
        found = [
            dn for dn in candidates if _in_scope(dn, base, query.scope) and matches(query.filter, self._values[dn])
        ]
        if query.size_limit and len(found) > query.size_limit:
            raise SizeLimitExceeded(f"more than {query.size_limit} entries match")
        return [self._shown(self._entries[dn], query.attributes) for dn in found]

    def _shown(self, entry: Entry, attributes: tuple[str, ...]) -> Entry:
        wanted = {name.lower() for name in attributes}
        everything = not wanted or "*" in wanted
        kept = {
            name: values
            for name, values in entry.attributes.items()
            if (everything or name in wanted) and name not in self._hidden
        }
        return Entry(entry.dn, kept)

    def _candidates(self, query: Query, base: str) -> Iterable[str]:
        if query.scope is Scope.BASE:
            return (base,) if base in self._entries else ()
        indexed = self._indexed(query.filter)
        if indexed is None:
            return self._entries
        return sorted(indexed)

    def _indexed(self, condition: LDAPFilter) -> set[str] | None:
        """Entries that may match, out of the index; None where the index does not help."""
        match condition:
            case pureldap.LDAPFilter_equalityMatch():
                return self._index.get(_assertion(condition), set())
            case pureldap.LDAPFilter_and():
                return self._fewest(condition)
            case pureldap.LDAPFilter_or():
                # Its length is that of its encoding: hence the list.
                parts = [self._indexed(part) for part in condition]
                found = [part for part in parts if part is not None]
                return set().union(*found) if len(found) == len(parts) else None
            case _:
                return None

    def _fewest(self, conditions: Iterable[LDAPFilter]) -> set[str] | None:
        """The smallest set that one of the conditions gives; a small one is good enough."""
        fewest: set[str] | None = None
        for condition in conditions:
            found = self._indexed(condition)
            if found is not None and (fewest is None or len(found) < len(fewest)):
                fewest = found
            if fewest is not None and len(fewest) <= FEW:
                break
        return fewest


def matches(condition: LDAPFilter, values: Values) -> bool:
    """Whether an entry with these values fulfils the condition."""
    match condition:
        case pureldap.LDAPFilter_equalityMatch():
            name, value = _assertion(condition)
            return value in values.get(name, ())
        case pureldap.LDAPFilter_present():
            return _text(condition.value).lower() in values
        case pureldap.LDAPFilter_and():
            return all(matches(part, values) for part in condition)
        case pureldap.LDAPFilter_or():
            return any(matches(part, values) for part in condition)
        case pureldap.LDAPFilter_not():
            return not matches(condition.value, values)
        case pureldap.LDAPFilter_substrings():
            several = values.get(_text(condition.type).lower(), ())
            return any(_has_substrings(condition, value) for value in several if isinstance(value, str))
        case _:
            raise DirectoryError("the embedded directory does not evaluate this kind of filter")


def comparable(raw: bytes) -> Value:
    """A value as it is compared: texts without regard to case and repeated spaces, names of entries as names, other bytes as they are."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw
    text = " ".join(text.casefold().split())
    return normal_dn(text) if "=" in text and "," in text else text


def _has_substrings(condition: pureldap.LDAPFilter_substrings, value: str) -> bool:
    rest = value
    for piece in condition.substrings:
        wanted = _text(piece.value).casefold()
        match piece:
            case pureldap.LDAPFilter_substrings_initial():
                if not rest.startswith(wanted):
                    return False
                rest = rest[len(wanted) :]
            case pureldap.LDAPFilter_substrings_final():
                return rest.endswith(wanted)
            case _:
                _, found, rest = rest.partition(wanted)
                if not found:
                    return False
    return True


def _in_scope(dn: str, base: str, scope: Scope) -> bool:
    match scope:
        case Scope.BASE:
            return dn == base
        case Scope.ONE:
            return parent(dn) == base
        case Scope.SUBTREE:
            return is_below(dn, base)


def _assertion(condition: pureldap.LDAPFilter_equalityMatch) -> tuple[str, Value]:
    value = condition.assertionValue.value
    raw = value if isinstance(value, bytes) else str(value).encode()
    return _text(condition.attributeDesc.value).lower(), comparable(raw)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
