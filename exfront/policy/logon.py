"""What a client typed at a logon, read: pure rules from an Authorization field to the name the directory is asked for.

Never decides whether credentials are right, and never lets a password into a repr. Whatever arrives, the answer is a value.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field

from exfront.model import AccountName, LogonCause, LogonRefused, NameKind

LONGEST_NAME = 512
"""Characters of a name that are looked at; no directory has longer ones."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password as typed, both neither empty nor blank (F26)."""

    name: str
    password: str = field(repr=False)


def read_basic(authorization: bytes) -> Credentials | LogonRefused:
    """The credentials in a Basic Authorization value (RFC 7617), or why there are none.

    The text is UTF-8, else Latin-1: clients do not say which (RFC 7617 section 3).
    """
    scheme, _, token = authorization.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return LogonRefused(LogonCause.MALFORMED, detail="not Basic")
    try:
        raw = binascii.a2b_base64(token.strip(), strict_mode=True)
    except binascii.Error:
        return LogonRefused(LogonCause.MALFORMED, detail="not base64")
    name, colon, password = _text(raw).partition(":")
    if not colon:
        return LogonRefused(LogonCause.MALFORMED, detail="no colon")
    return check_typed(name, password)


def check_typed(name: str, password: str) -> Credentials | LogonRefused:
    """The credentials, if a directory may be asked about them: an empty, blank or NUL password would be an anonymous bind (F26)."""
    if len(name) > LONGEST_NAME:
        return LogonRefused(LogonCause.MALFORMED, detail="name too long")
    if not name.isprintable():
        return LogonRefused(LogonCause.MALFORMED, detail="control characters in the name")
    if not name.rpartition("\\")[2].strip() or not password.strip() or "\0" in password:
        return LogonRefused(LogonCause.EMPTY, name.strip())
    return Credentials(name.strip(), password)


def account_name(typed: str, default_domain: str = "") -> AccountName:
    r"""What the directory is asked for: `name` (in the default domain), `DOMAIN\name` or `name@domain`, in lower case (F26)."""
    typed = typed.strip().lower()
    domain, backslash, name = typed.partition("\\")
    if backslash:
        return AccountName(NameKind.ACCOUNT, name.strip(), domain.strip())
    local, _, domain = typed.rpartition("@")
    if local and domain:
        return AccountName(NameKind.PRINCIPAL, typed)
    return AccountName(NameKind.ACCOUNT, typed, default_domain.lower())


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
