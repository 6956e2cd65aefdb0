"""From a `listen` line to an endpoint (F4)."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial import unittest

from exfront.wire.listen import server_endpoint


class ListenTests(unittest.TestCase):
    """What is understood, and what is not."""

    async def test_tcp(self) -> None:
        """A port, an interface of either family, and the long form."""
        for line, host in (
            ("tcp:0", "::"),
            ("tcp:0:interface=127.0.0.1", "127.0.0.1"),
            (r"tcp:0:interface=\:\:1", "::1"),
            ("tcp:port=0:interface=127.0.0.1", "127.0.0.1"),
        ):
            endpoint = server_endpoint(reactor, line)
            self.assertTrue(IStreamServerEndpoint.providedBy(endpoint), line)
            port = await endpoint.listen(Factory())
            self.assertIn(port.getHost().host, (host, "0.0.0.0"), line)  # a machine without IPv6 listens on IPv4
            await port.stopListening()

    def test_wrapped(self) -> None:
        """The PROXY protocol in front of any other; a socket of systemd's."""
        for line in ("haproxy:tcp:0", "haproxy:tcp:0:interface=127.0.0.1", "systemd:domain=INET:index=0"):
            self.assertTrue(IStreamServerEndpoint.providedBy(server_endpoint(reactor, line)), line)

    def test_unknown(self) -> None:
        """ValueError for everything else."""
        for line in ("udp:80", "", "tcp", "tcp:", "tcp:http", "haproxy:udp:1"):
            self.assertRaises(ValueError, server_endpoint, reactor, line)
