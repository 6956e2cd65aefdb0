"""How the directory is named: its URLs, distinguished names, attributes, filters.

Owns their syntax in the configuration. Connects to nothing; ldaptor is imported only when there is a filter to parse.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING

from exfront.config.forms import Form, Unfit, existing_file
from exfront.config.names import host_name, with_port
from exfront.config.settings import DirectoryUrl, Scheme

if TYPE_CHECKING:
    from pathlib import Path

DEEPEST_FILTER = 50
"""Brackets within brackets that a search filter may have."""

_ATTRIBUTE = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)"
_DN_VALUE = r'(?:\\[0-9A-Fa-f]{2}|\\[ "#+,;<=>\\]|[^\\,+"<>;])+'
_DN_PAIR = rf"\s*{_ATTRIBUTE}\s*={_DN_VALUE}"
_DN = re.compile(rf"{_DN_PAIR}(?:[,+]{_DN_PAIR})*")
_URLS = ("ldap://HOST[:PORT]", "ldaps://HOST[:PORT]", "ldif:FILE", "srv:DOMAIN")
_PORTS = {Scheme.LDAP: 389, Scheme.LDAPS: 636}


def directory_url() -> Form:
    """One server, file or domain of the directory."""

    def parse(text: str, folder: Path) -> DirectoryUrl:
        word, _, rest = text.partition(":")
        scheme = next((one for one in Scheme if one.value == word.lower()), None)
        if scheme is None:
            raise ValueError
        if scheme is Scheme.LDIF:
            return DirectoryUrl(scheme, path=existing_file(rest, folder))
        if scheme is Scheme.SRV:
            return DirectoryUrl(scheme, host_name(rest))
        if not rest.startswith("//"):
            raise ValueError
        if "@" in rest:
            raise Unfit("names and passwords belong in bind_dn and bind_password")
        where, port = with_port(rest.removeprefix("//").removesuffix("/"), _PORTS[scheme])
        return DirectoryUrl(scheme, where, port)

    return Form(parse, ", ".join(_URLS), choices=_URLS)


def distinguished_name() -> Form:
    """A distinguished name (RFC 4514)."""

    def parse(text: str, _: Path) -> str:
        if not _DN.fullmatch(text):
            raise ValueError
        return text

    return Form(parse, "a distinguished name such as dc=adatum,dc=com")


def attribute() -> Form:
    """An attribute of a directory's entry, by name or by number (RFC 4512 2.5)."""

    def parse(text: str, _: Path) -> str:
        if not re.fullmatch(_ATTRIBUTE, text):
            raise ValueError
        return text

    return Form(parse, "an attribute's name")


def ldap_filter() -> Form:
    """A search filter (RFC 4515)."""

    def parse(text: str, _: Path) -> str:
        from ldaptor.ldapfilter import InvalidLDAPFilter, parseFilter

        if max(accumulate({"(": 1, ")": -1}.get(character, 0) for character in text)) > DEEPEST_FILTER:
            raise Unfit(f"it is nested more than {DEEPEST_FILTER} deep")
        try:
            parseFilter(text)
        except InvalidLDAPFilter:
            raise ValueError from None
        return text

    return Form(parse, "a search filter such as (objectClass=person)")
