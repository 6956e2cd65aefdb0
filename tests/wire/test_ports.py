"""Listening ports, changed as a whole or not at all."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial import unittest

from exfront.errors import PortError
from exfront.wire.ports import Line, Ports

LOCAL = "tcp:0:interface=127.0.0.1"


def taken(case: unittest.TestCase, address: str = "127.0.0.1") -> int:
    """A port on which somebody else listens."""
    other = socket.create_server((address, 0))
    case.addCleanup(other.close)
    number: int = other.getsockname()[1]
    return number


class PortsTests(unittest.TestCase):
    def setUp(self) -> None:
        self.ports = Ports(reactor)
        self.factory: Any = Factory.forProtocol(Protocol)
        self.factory.noisy = False
        self.addCleanup(self.ports.close)

    def change(self, *descriptions: str, key: str = "listen") -> None:
        self.ports.change({Line(key, one): self.factory for one in descriptions})

    def test_keys_are_apart(self) -> None:
        """The same description may stand under two keys, where the kernel chooses the port."""
        self.ports.change({Line("listen", LOCAL): self.factory, Line("status", LOCAL): self.factory})
        first, second = self.ports.named("listen")[LOCAL], self.ports.named("status")[LOCAL]
        self.assertNotEqual(first.getHost(), second.getHost())
        self.assertEqual((len(self.ports), self.ports.named("other")), (2, {}))

    def test_what_stays_is_not_touched(self) -> None:
        """A line that is in both configurations keeps its port; the factory is told of the last port's end."""
        self.change(LOCAL)
        before = self.ports.named("listen")[LOCAL]
        self.change(LOCAL, "tcp:0:interface=127.0.0.2")
        self.change(LOCAL)
        self.assertIs(self.ports.named("listen")[LOCAL], before)
        self.assertEqual(self.factory.numPorts, 1)
        self.ports.close()
        self.assertEqual((self.factory.numPorts, len(self.ports)), (0, 0))

    def test_all_or_nothing(self) -> None:
        """Where one of several cannot be opened, all is as it was, and the error says which and why."""
        self.change(LOCAL)
        wrong = f"tcp:{taken(self)}:interface=127.0.0.1"
        error = self.assertRaises(PortError, self.change, "tcp:0:interface=127.0.0.2", wrong, key="status")
        self.assertEqual((error.key, error.description, error.reason), ("status", wrong, "Address already in use"))
        self.assertEqual(self.ports.named("status"), {})
        self.assertEqual(list(self.ports.named("listen")), [LOCAL])

    def test_rival_is_gone_for_good(self) -> None:
        """An old port that made room in vain and was taken meanwhile is missed in the log, and the next change opens it."""
        number = taken(self, "127.0.0.2")  # free at 127.0.0.1
        old, new = f"tcp:{number}:interface=127.0.0.1", f"tcp:{number}:interface=127.0.0.2"
        self.change(old)
        close = self.ports.close
        thief: list[socket.socket] = []

        def close_and_lose(lines: Any = None) -> None:
            close(lines)
            if not thief:
                thief.append(socket.create_server(("127.0.0.1", number)))

        self.patch(self.ports, "close", close_and_lose)
        said: list[str] = []
        self.patch(Ports, "_log", type("Log", (), {"error": lambda _, text, error: said.append(error)})())
        self.assertRaises(PortError, self.change, new)
        self.assertEqual(said, [f"{old} cannot be listened on: Address already in use"])
        thief[0].close()
        self.change(old)
        self.assertEqual(list(self.ports.named("listen")), [old])

    def test_no_such_kind(self) -> None:
        """A description that is none is a defect of whoever checked the configuration."""
        self.assertRaises(ValueError, self.change, "udp:53")
