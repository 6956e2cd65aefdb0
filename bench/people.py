"""The users of the measurements: user0 with the password pw0, and so on, spread over four home servers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HOMES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
SUFFIX = "dc=adatum,dc=com"
_TOP = f"""dn: {SUFFIX}
objectClass: domain
dc: adatum

dn: ou=people,{SUFFIX}
objectClass: organizationalUnit
ou: people
"""


def token(number: int) -> str:
    """The user's Basic credentials (RFC 7617)."""
    return base64.b64encode(f"user{number}:pw{number}".encode()).decode()


def home(number: int) -> str:
    """The address of the user's home server."""
    return HOMES[number % len(HOMES)]


def write_tokens(path: Path, numbers: range) -> Path:
    """A file of credentials, one token a line, as templates/users.lua reads it."""
    path.write_text("".join(f"{token(number)}\n" for number in numbers))
    return path


def write_ldif(path: Path, count: int) -> Path:
    """The organisation with its users as LDIF (RFC 2849)."""
    with path.open("w") as file:
        file.write(_TOP)
        for number in range(count):
            file.write(
                f"\ndn: uid=user{number},ou=people,{SUFFIX}\n"
                "objectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\n"
                f"uid: user{number}\ncn: User {number}\nsn: {number}\nuserPassword: pw{number}\n"
                f"mail: user{number}@adatum.com\nmailLocalAddress: user{number}@adatum.com\nmailHost: {home(number)}\n"
            )
    return path
