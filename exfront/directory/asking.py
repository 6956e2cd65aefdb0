"""What we ask a directory and how its result codes read: requests, the paging control, the word on a search.

Pure: builds ldaptor's request objects and reads its result objects; knows no connection and no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ldaptor.protocols.pureber import (
    BERDecoderContext,
    BERInteger,
    BEROctetString,
    BERSequence,
    berDecodeObject,
)
from ldaptor.protocols.pureldap import LDAPBindRequest, LDAPFilter_present, LDAPSearchRequest

from exfront.directory.decoder import wire_name
from exfront.directory.trouble import BrokenMessage, ServerUnwell
from exfront.errors import DirectoryError, SizeLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exfront.directory.interface import Query

PAGED: Final = b"1.2.840.113556.1.4.319"
"""RFC 2696."""
PASSWORD_POLICY: Final = b"1.3.6.1.4.1.42.2.27.8.5.1"
"""draft-behera-ldap-password-policy: asks for the reason of a refusal and the time until the password expires."""
PAGE: Final = 500
"""Entries a page: OpenLDAP and Active Directory allow it by default."""

Control = tuple[bytes, bool | None, bytes | None]
"""Type, criticality, value: what ldaptor takes and gives."""

_UNWELL = {51: "is busy", 52: "is unavailable", 80: "has an inner error"}
_DEMANDS_TLS = (8, 13)


def search_request(query: Query) -> Any:
    """The request object for a query; aliases are never followed."""
    return LDAPSearchRequest(
        baseObject=wire_name(query.base),
        scope=query.scope.value,
        sizeLimit=query.size_limit,
        filter=query.filter,
        attributes=[name.encode() for name in query.attributes],
    )


def root_request() -> Any:
    """The cheapest question every server answers anybody: is there a root entry (RFC 4512 5.1)? No attributes (`1.1`)."""
    return LDAPSearchRequest(baseObject=b"", scope=0, filter=LDAPFilter_present(b"objectClass"), attributes=[b"1.1"])


def bind_request(dn: str, password: str) -> Any:
    """A simple bind, name and password in UTF-8 (RFC 4511 4.2)."""
    return LDAPBindRequest(dn=wire_name(dn), auth=password.encode())


def paged(cookie: bytes) -> Control:
    """The control that asks for the page behind `cookie`. Not critical: a server without it sends everything at once."""
    return PAGED, None, BERSequence([BERInteger(PAGE), BEROctetString(cookie)]).toWire()


def next_page(controls: Sequence[Control] | None) -> bytes:
    """The cookie of the page that follows, empty after the last one. Raises BrokenMessage."""
    for kind, _, value in controls or ():
        if kind == PAGED:
            try:
                decoded, _ = berDecodeObject(BERDecoderContext(), value)
                return bytes(decoded[1].value)
            except Exception:  # noqa: BLE001  ldaptor's decoder fails in a dozen ways on foreign bytes
                raise BrokenMessage("the server sent a paging control that cannot be read") from None
    return b""


def check_search(code: int, message: bytes, *, limited: bool) -> bool:
    """Whether the base is there; every result that does not give the whole list raises.

    SizeLimitExceeded for 4, ServerUnwell for 51, 52 and 80, DirectoryError for the rest. Referrals (10) are never chased:
    our credentials are for the servers of the configuration.
    """
    if code == 0:
        return True
    if code == 32:
        return False
    if code == 4:
        raise SizeLimitExceeded(
            "more entries match than wanted" if limited else "the directory's own size limit cut the list short"
        )
    raise refusal(code, message, "a search")


def refusal(code: int, message: bytes, what: str) -> DirectoryError:
    """The error for a result that is nobody's wrong password: the server's state, or somebody's configuration."""
    if code in _UNWELL:
        return ServerUnwell(f"the server {_UNWELL[code]} (result {code}) {tidy(message)}".rstrip())
    if code in _DEMANDS_TLS:
        return DirectoryError(f"the directory demands TLS for {what} (result {code}): use ldaps:// or start_tls = yes")
    if code == 10:
        return DirectoryError(f"the directory refers {what} to another server (result 10), which is not followed")
    return DirectoryError(f"the directory refused {what} (result {code}) {tidy(message)}".rstrip())


def tidy(message: bytes | str) -> str:
    """A server's diagnostic message fit for one log line: printable, at most 200 characters."""
    text = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
    return "".join(sign if sign.isprintable() else " " for sign in text)[:200].strip()
