"""What the configuration's syntax has and this version does not serve yet: one line each, to be deleted with the work that serves it.

Owns the lists and their wording. Whether the value is well-formed at all is decided before.
"""

from __future__ import annotations

from typing import NamedTuple


class Unserved(NamedTuple):
    """Values of one key that are refused."""

    section: str
    key: str
    beginning: str
    """What such a value begins with, in lower case; empty: every value."""
    allowed: str
    """What is served instead."""


UNSERVED = (
    Unserved("front-end", "listen", "tls:", "tcp:, haproxy:tcp: and systemd:"),
    Unserved("front-end", "admin", "", "none"),
    Unserved("directory", "url", "srv:", "ldap://, ldaps:// and ldif:"),
    Unserved("directory", "write_url", "srv:", "ldap:// and ldaps://"),
    Unserved("virtual-server", "authentication", "forms", "basic, none"),
    Unserved("virtual-directory", "authentication", "forms", "basic, none"),
    Unserved("virtual-directory", "kind", "application", "mailbox, public, tree, forward"),
    Unserved("virtual-directory", "kind", "password", "mailbox, public, tree, forward"),
    Unserved("store", "url", "redis", "memory:"),
)

WITHOUT_EFFECT = (
    ("front-end", "key_file"),
    ("tls", "certificates"),
    ("tls", "minimum_version"),
    ("tls", "redirect_http"),
    ("tls", "hsts"),
    ("directory", "write_url"),
    ("directory", "resolver"),
    ("virtual-server", "warn_days"),
    ("virtual-directory", "affinity_cookie"),
    ("virtual-directory", "affinity_separator"),
    ("virtual-directory", "sessions"),
    ("virtual-directory", "rebalance"),
    ("virtual-directory", "rebalance_rate"),
    ("virtual-directory", "session_timeout"),
    ("back-end", "route"),
    ("failover", "referral_status"),
    ("failover", "referral_header"),
    ("store", "url"),
)
"""Section and key whose values are checked and then change nothing: they belong to what is not served. For the documentation."""


def unserved_values(section: str, key: str) -> frozenset[str]:
    """The beginnings that are refused for `key` in a section of that kind."""
    return frozenset(one.beginning for one in UNSERVED if (one.section, one.key) == (section, key))


def unserved(section: str, key: str, text: str) -> Unserved | None:
    """The line of the list that refuses `text`, a well-formed value of `key` in a section of that kind."""
    for one in UNSERVED:
        if (one.section, one.key) == (section, key) and text.lower().startswith(one.beginning):
            return one
    return None
