"""The order in which a user's request tries the servers that hold the same thing (F44 to F46).

Owns two hashes and nothing else. Both depend on the user's identity, the servers' names and (rendezvous) weights alone: never on
the order in which the servers were named, on the process, or on what came before. So any number of front-ends agree.
"""

from __future__ import annotations

from hashlib import blake2b
from math import log
from typing import TYPE_CHECKING

from exfront.config.settings import Hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exfront.model import Server

_DIGEST = 8
_UNIT = 2.0**-53


def order(identity: bytes, servers: Sequence[Server], how: Hash) -> tuple[Server, ...]:
    """All the servers, the user's own first, then where the user goes when that one is away.

    Servers that are drained or have no weight come last, whatever the hash says: they take nobody new as long as another answers.
    """
    if len(servers) < 2:
        return tuple(servers)
    taking = [one for one in servers if one.weight > 0 and not one.drain]
    leaving = [one for one in servers if one.weight <= 0 or one.drain]
    if how is Hash.RANGE:
        where = position(identity)
        return (*by_range(where, taking), *by_range(where, leaving))
    return (*_by_score(identity, taking), *_by_score(identity, leaving))


def position(identity: bytes) -> float:
    """Where a user stands on the line [0, 1) that `by_range` cuts into slices."""
    return _unit(blake2b(identity, digest_size=_DIGEST, person=b"exfront-range").digest())


def by_range(where: float, servers: Sequence[Server]) -> tuple[Server, ...]:
    """The servers from the one that owns `where` in [0, 1) onwards, round the ring (F45).

    The line is cut into as many equal slices as there are servers, given out by name; weights do not count.
    """
    if not servers:
        return ()
    ring = sorted(servers, key=_name)
    # Rounding: 3/6 of two must be the second slice, and float gives exactly that; the smallest step below 1.0 may round up to n.
    first = min(int(where * len(ring)), len(ring) - 1)
    return (*ring[first:], *ring[:first])


def _by_score(identity: bytes, servers: Sequence[Server]) -> tuple[Server, ...]:
    """Weighted rendezvous: the highest -w / ln u first, u uniform by user and server (Thaler and Ravishankar 1998)."""
    if len(servers) < 2:
        return tuple(servers)
    key = identity if len(identity) <= 64 else blake2b(identity).digest()
    scored = [(_score(key, one), one.name, one) for one in servers]
    scored.sort(reverse=True)
    return tuple(one for _, _, one in scored)


def _score(key: bytes, server: Server) -> float:
    # The user is the key and the server the message, so that no concatenation of the two can be taken for another pair.
    digest = blake2b(server.name.encode(), digest_size=_DIGEST, key=key, person=b"exfront-rank").digest()
    return -max(server.weight, 1) / log(_unit(digest) + _UNIT / 2)


def _unit(digest: bytes) -> float:
    """A number in [0, 1) with the 53 bits that a float holds."""
    return (int.from_bytes(digest, "big") >> 11) * _UNIT


def _name(server: Server) -> str:
    return server.name
