"""Which pool a server has, from one configuration to the next."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from exfront.backend.pools import Pools
from exfront.model import Server
from exfront.wire.patience import Patience


class KeptTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        self.pools = Pools(clock, Patience(clock), 3, 60)
        self.server = Server("a", "127.0.0.1", 81)

    def test_the_same_server_read_again(self) -> None:
        """Another reading of the same section has the same pool, also while the old reading is still asked for."""
        pool = self.pools.of(self.server)
        again = replace(self.server, weight=3, drain=True)
        self.assertIs(self.pools.of(again), pool)
        self.assertIs(self.pools.of(self.server), pool)
        self.assertEqual(self.pools.snapshot(), {"a": 0})

    def test_a_server_that_moved(self) -> None:
        """A server at another place, or with another certificate, has a new pool."""
        pool = self.pools.of(self.server)
        for moved in (
            replace(self.server, address="127.0.0.2"),
            replace(self.server, port=82),
            replace(self.server, tls=True),
        ):
            new = self.pools.of(moved)
            self.assertIsNot(new, pool)
            pool = new

    def test_other_times(self) -> None:
        """Pools are made anew where the time-outs changed, and only there."""
        pool = self.pools.of(self.server)
        self.pools.configure(3, 60)
        self.assertIs(self.pools.of(self.server), pool)
        self.pools.configure(3, 61)
        self.assertIsNot(self.pools.of(self.server), pool)
