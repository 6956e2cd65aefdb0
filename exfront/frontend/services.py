"""What every leaf and every relay needs: one bundle, made by `tap` and swapped as a whole by a reload."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from ipaddress import IPv4Network, IPv6Network

    from exfront.backend.health import HealthBoard
    from exfront.backend.pools import Pools
    from exfront.config.settings import Failover
    from exfront.directory.service import Directory
    from exfront.ledger import Ledger


class Services:
    """The parts that carrying a request uses."""

    __slots__ = ("directory", "failover", "health", "ledger", "next_id", "now", "pools", "trusts")

    def __init__(
        self,
        *,
        directory: Directory | None,
        pools: Pools,
        health: HealthBoard,
        ledger: Ledger,
        failover: Failover,
        now: Callable[[], float],
        next_id: Callable[[], bytes],
        trusts: Trusted,
    ) -> None:
        self.directory = directory
        """None where no virtual directory needs one."""
        self.pools = pools
        self.health = health
        self.ledger = ledger
        self.failover = failover
        self.now = now
        """The reactor's clock, seconds."""
        self.next_id = next_id
        self.trusts = trusts


class RequestIds:
    """Request ids: a prefix drawn once a process, and a count."""

    def __init__(self, prefix: bytes) -> None:
        """`prefix`: a few random hexadecimal digits."""
        self._prefix = prefix
        self._count = 0

    def __call__(self) -> bytes:
        """The next id: short, unique among front-ends, a token."""
        self._count += 1
        return b"%b%08x" % (self._prefix, self._count)


class Trusted:
    """The trusted proxies (F3): whose markers are believed."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __call__(self, address: bytes) -> bool:
        """Whether the address (text, without brackets) belongs to a trusted proxy; False for what is no address."""
        try:
            parsed = ip_address(address.decode("ascii"))
        except ValueError:
            return False
        return any(parsed.version == one.version and parsed in one for one in self._networks)
