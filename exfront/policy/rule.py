"""A virtual directory under a virtual server, made ready for routing once, when the configuration is read.

Owns the meaning of defaults (whose authentication, whose SMTP domains); knows no request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exfront.config.settings import Authentication, Hash, Kind, Match
from exfront.policy.paths import depth_of

if TYPE_CHECKING:
    from exfront.config.roster import Roster
    from exfront.config.settings import VirtualDirectory, VirtualServer
    from exfront.model import Server


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What `exfront.policy.route` has to know of a virtual directory. Compared by identity: one object per directory and server."""

    name: str
    path: bytes
    """As configured; `/` or without a slash at its end."""
    depth: int
    """Segments of `path`; 0 for `/`."""
    kind: Kind
    authentication: Authentication
    authenticate: bool
    """Whether a logon at the front-end comes first."""
    domains: tuple[str, ...] = ()
    """SMTP domains, lower case, in the order they are looked up (F11, F14)."""
    match: Match = Match.ACCOUNT
    user_in_path: bool = True
    hash: Hash = Hash.RENDEZVOUS
    tree: str = ""
    """DN of the tree; empty is the default tree."""
    servers: tuple[Server, ...] = ()
    """`servers` or `replicas` of the configuration, in its order, current ones only (F43)."""
    orders: dict[bytes, tuple[tuple[Server, ...], tuple[Server, ...]]] = field(default_factory=dict, repr=False)
    """A memo of `replicas.order` by identity: the list that was ordered, and its order. Bounded by its one user, `route`."""


def make_rule(vserver: VirtualServer, vdir: VirtualDirectory, roster: Roster) -> Rule:
    """The rule for one virtual directory under one of its virtual servers."""
    authentication = vdir.authentication or vserver.authentication
    path = vdir.path.encode()
    return Rule(
        name=vdir.name,
        path=path,
        depth=depth_of(path),
        kind=vdir.kind,
        authentication=authentication,
        authenticate=authentication is not Authentication.NONE,
        domains=_unique(vdir.smtp_domain or vserver.smtp_domain),
        match=vdir.match,
        user_in_path=vdir.user_in_path,
        hash=vdir.hash,
        tree=vdir.tree or "",
        servers=tuple(one for one in map(roster.server, _unique(vdir.replicas or vdir.servers)) if one.current),
    )


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """In lower case, every name once, where it stood first (F11)."""
    return tuple(dict.fromkeys([one.lower() for one in names]))
