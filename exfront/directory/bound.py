"""What a directory's answer to a bind means for the user.

The one place that knows a bind's result codes, the password policy control (draft-behera-ldap-password-policy-10) and Active
Directory's sub-codes. Pure. Refuses to know how the answer came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from exfront.directory.asking import PASSWORD_POLICY, refusal, tidy
from exfront.directory.interface import Bound
from exfront.model import LogonCause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exfront.directory.asking import Control

_POLICY_ERRORS = {0: LogonCause.EXPIRED, 1: LogonCause.LOCKED, 2: LogonCause.MUST_CHANGE}
_SUB_CODE = re.compile(rb"\bdata ([0-9a-fA-F]{3,4})\b")
_SUB_CODES = {
    b"525": LogonCause.UNKNOWN,
    b"52e": LogonCause.WRONG,
    b"530": LogonCause.DISABLED,  # not at this hour
    b"531": LogonCause.DISABLED,  # not from this machine
    b"532": LogonCause.EXPIRED,
    b"533": LogonCause.DISABLED,
    b"701": LogonCause.ACCOUNT_EXPIRED,
    b"773": LogonCause.MUST_CHANGE,
    b"775": LogonCause.LOCKED,
}
_CAUSES = {
    19: LogonCause.LOCKED,  # 389 Directory Server: too many attempts
    32: LogonCause.UNKNOWN,
    34: LogonCause.UNKNOWN,  # not even a name
    48: LogonCause.WRONG,  # the entry has no password, so none is right
    49: LogonCause.WRONG,
    50: LogonCause.DISABLED,  # this entry may not bind
    53: LogonCause.DISABLED,  # 389 Directory Server and others: the account is switched off
}


class Policy(NamedTuple):
    """A password policy response control, read."""

    expires_in: int | None = None
    """Seconds; 0 when only grace logons are left."""
    error: int | None = None


def read_policy(value: bytes | None) -> Policy:
    """The control's value: `30 L [a0 L (80 seconds | 81 grace logons)] [81 01 error]`; what cannot be read says nothing."""
    policy, at = Policy(), 2
    while value and at + 1 < len(value):
        tag, content = value[at], value[at + 2 : at + 2 + value[at + 1]]
        if tag == 0xA0 and len(content) > 2 and content[0] in (0x80, 0x81):
            policy = policy._replace(expires_in=0 if content[0] == 0x81 else int.from_bytes(content[2:], "big"))
        elif tag == 0x81 and content:
            policy = policy._replace(error=int.from_bytes(content, "big"))
        at += 2 + value[at + 1]
    return policy


def bound(code: int, message: bytes, controls: Sequence[Control] | None, password: str) -> Bound:
    """The answer in our words. Raises DirectoryError where the result says nothing about the user's password.

    A policy error counts even with result 0: slapd lets a user bind who may then only change the password.
    """
    values = [value for kind, _, value in controls or () if kind == PASSWORD_POLICY]
    policy = read_policy(values[0]) if values else Policy()
    if code != 0 and code not in _CAUSES:
        raise refusal(code, b"" if password.encode() in message else message, "a bind")
    cause = None if policy.error is None else _POLICY_ERRORS.get(policy.error)
    if cause is None and code != 0:
        cause = _sub_code(message) if code == 49 else None
        cause = cause or _CAUSES[code]
    return Bound(cause, policy.expires_in, _detail(code, message, password))


def _sub_code(message: bytes) -> LogonCause | None:
    found = _SUB_CODE.search(message)
    return _SUB_CODES.get(found.group(1).lower()) if found else None


def _detail(code: int, message: bytes, password: str) -> str:
    """The server's own words, unless they repeat the password."""
    if code == 0 or password.encode() in message:
        return ""
    text = tidy(message)
    return f"result {code}: {text}" if text else f"result {code}"
