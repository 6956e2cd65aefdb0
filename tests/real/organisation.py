"""The sample organisation, as LDIF: what the tests' directories hold.

Servers backend1 to backend5, the last too old to be chosen; two mailbox stores on each current one; a default public tree on
backend1 to 3, a general tree `Apps` on backend2 to 5; users `user0` … with the password `pw0` …, spread over the stores in turn: user0 has
HTTP switched off, user1 has an address in another domain only, user2 has a second address there. With policies, five more users show
what a password policy can say: locked, expired, expiring, reset (must change), strict (locked after three failures).
"""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "dc=adatum,dc=com"
PEOPLE = f"ou=people,{BASE}"
CONFIGURATION = f"cn=Adatum,ou=configuration,{BASE}"
SERVICE_DN = f"cn=exfront,ou=services,{BASE}"
SERVICE_PASSWORD = "service secret"

_POLICIES = {
    "default": {"pwdAllowUserChange": "TRUE", "pwdMinLength": "5", "pwdCheckQuality": "1"},
    "strict": {"pwdLockout": "TRUE", "pwdMaxFailure": "3", "pwdFailureCountInterval": "600"},
    "aging": {"pwdMaxAge": "864000", "pwdExpireWarning": "864000"},
    "reset": {"pwdMustChange": "TRUE"},
}


def ldif(users: int, now: datetime | None = None) -> str:
    """The whole organisation with so many users."""
    now = now or datetime.now(UTC)
    return "\n".join([*_top(), *_servers(), *(_user(number) for number in range(users)), *_policies(now)])


def user_dn(number: int) -> str:
    return f"uid=user{number},{PEOPLE}"


def sid(number: int) -> bytes:
    """A security identifier, S-1-5-21-…-(1000 + number), in its binary form."""
    return b"\x01\x05\0\0\0\0\0\x05" + struct.pack("<5I", 21, 3735879680, 3203334144, 305397760, 1000 + number)


def entry(dn: str, classes: str, **attributes: str | bytes | list[str]) -> str:
    """One LDIF record; values that LDIF cannot hold as they are become base64 (RFC 2849)."""
    lines = [f"dn: {dn}", *(f"objectClass: {name}" for name in classes.split())]
    for name, given in attributes.items():
        for value in given if isinstance(given, list) else [given]:
            raw = value.encode() if isinstance(value, str) else value
            safe = raw.isascii() and raw.decode("latin-1").isprintable() and raw[:1] not in (b" ", b":", b"<")
            lines.append(f"{name}: {raw.decode()}" if safe else f"{name}:: {base64.b64encode(raw).decode()}")
    return "\n".join(lines) + "\n"


def _top() -> Iterator[str]:
    yield entry(BASE, "dcObject organization", o="Adatum", dc="adatum")
    for unit in ("people", "configuration", "services", "policies"):
        yield entry(f"ou={unit},{BASE}", "organizationalUnit", ou=unit)
    yield entry(CONFIGURATION, "organizationalRole", cn="Adatum")
    yield entry(SERVICE_DN, "organizationalRole simpleSecurityObject", cn="exfront", userPassword=SERVICE_PASSWORD)


def _servers() -> Iterator[str]:
    for tree in ("Public Folders", "Apps"):
        yield entry(f"cn={tree},{CONFIGURATION}", "msExchPFTree", cn=tree)
    for number in range(1, 6):
        version = "Version 5.5 (Build 2653.23)" if number == 5 else "Version 6.5 (Build 7638.2)"
        addresses = [f"ncacn_ip_tcp:backend{number}", f"netbios:BACKEND{number}"]
        yield entry(
            _server(number),
            "msExchExchangeServer",
            cn=f"backend{number}",
            serialNumber=version,
            networkAddress=addresses,
        )
    for name, tree, owners in (("Public", "Public Folders", (1, 2, 3)), ("Apps", "Apps", (2, 3, 4, 5))):
        for number in owners:
            yield entry(
                f"cn={name}{number},{CONFIGURATION}", "msExchPublicMDB", cn=f"{name}{number}",
                msExchOwningServer=_server(number), msExchOwningPFTree=f"cn={tree},{CONFIGURATION}",
            )  # fmt: skip
    for number in range(1, 5):
        for half in "ab":
            yield entry(
                f"cn=Mailbox{number}{half},{CONFIGURATION}", "msExchPrivateMDB", cn=f"Mailbox{number}{half}",
                msExchOwningServer=_server(number), msExchHomePublicMDB=f"cn=Public{1 + number % 3},{CONFIGURATION}",
            )  # fmt: skip


def _server(number: int) -> str:
    return f"cn=backend{number},{CONFIGURATION}"


def _user(number: int) -> str:
    name = f"user{number}"
    addresses = [f"SMTP:{name}@{'contoso' if number == 1 else 'adatum'}.com"]
    if number == 2:
        addresses.append(f"smtp:second{number}@contoso.com")
    store = f"cn=Mailbox{1 + number % 4}{'ab'[number // 4 % 2]},{CONFIGURATION}"
    return entry(
        user_dn(number), "inetOrgPerson mailboxUser inetLocalMailRecipient", uid=name, cn=f"User {number}", sn=str(number),
        mail=addresses[0][5:], mailLocalAddress=addresses[0][5:], mailHost=f"backend{1 + number % 4}", sAMAccountName=name,
        userPrincipalName=f"{name}@adatum.com", proxyAddresses=addresses, homeMDB=store, objectSid=sid(number),
        protocolSettings=[f"HTTP§{0 if number == 0 else 1}§1§§§§§§", "POP3§1§§§§§§§§§§§"], userPassword=f"pw{number}",
    )  # fmt: skip


def _policies(now: datetime) -> Iterator[str]:
    for name, rules in _POLICIES.items():
        yield entry(
            f"cn={name},ou=policies,{BASE}",
            "organizationalRole pwdPolicy",
            cn=name,
            pwdAttribute="userPassword",
            **rules,
        )
    yield _policed("strict", "strict")
    yield _policed("locked", "strict", pwdAccountLockedTime="000001010000Z")
    yield _policed("expired", "aging", pwdChangedTime=f"{now - timedelta(days=20):%Y%m%d%H%M%SZ}")
    yield _policed("expiring", "aging", pwdChangedTime=f"{now - timedelta(days=9):%Y%m%d%H%M%SZ}")
    yield _policed("reset", "reset", pwdReset="TRUE")


def _policed(name: str, policy: str, **state: str) -> str:
    return entry(
        f"uid={name},{PEOPLE}", "inetOrgPerson", uid=name, cn=name, sn=name, mail=f"{name}@adatum.com", userPassword=f"pw {name}",
        pwdPolicySubentry=f"cn={policy},ou=policies,{BASE}", **state,
    )  # fmt: skip
