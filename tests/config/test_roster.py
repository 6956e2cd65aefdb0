"""From a server's name to the server."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from exfront.config.roster import Roster
from exfront.config.settings import BackEnd
from exfront.model import Server


def all_of(server: Server) -> tuple[object, ...]:
    """Every field: servers are compared by name alone."""
    return (
        server.name,
        server.address,
        server.port,
        server.tls,
        server.ca_file,
        server.weight,
        server.current,
        server.drain,
    )


class RosterTests(SynchronousTestCase):
    """The configuration's word over the directory's."""

    def test_unknown_to_the_configuration(self) -> None:
        """F4: a server without a section is spoken to at its own name, plain, on port 80."""
        self.assertEqual(
            all_of(Roster(()).server("BE1.Adatum.com.")), all_of(Server("be1.adatum.com", "be1.adatum.com", 80))
        )

    def test_address_of_the_directory(self) -> None:
        """F1: the directory's address is connected to, under the server's name."""
        server = Roster(()).server("be1", "10.0.0.1", current=False)
        self.assertEqual(all_of(server), all_of(Server("be1", "10.0.0.1", current=False)))

    def test_section(self) -> None:
        """F4: a section's address, port, TLS, weight and drain count, the directory's word only for the version (F43)."""
        roster = Roster([BackEnd("be1", "10.0.0.9", 9001, True, Path("/ca.pem"), 3, "r", True)])
        expected = Server("be1", "10.0.0.9", 9001, True, "/ca.pem", 3, False, True)
        self.assertEqual(all_of(roster.server("BE1", "10.0.0.1", current=False)), all_of(expected))

    def test_section_without_address(self) -> None:
        """A section that says no address leaves the directory's, else the name; the port follows from TLS."""
        roster = Roster([BackEnd("be1"), BackEnd("be2", tls=True)])
        self.assertEqual(all_of(roster.server("be1", "10.0.0.1")), all_of(Server("be1", "10.0.0.1", 80)))
        self.assertEqual(all_of(roster.server("be2")), all_of(Server("be2", "be2", 443, True)))

    def test_first_label(self) -> None:
        """A section named by the first label counts for the whole name, one named by the whole name before it."""
        roster = Roster([BackEnd("be1", port=1), BackEnd("BE1.adatum.com", port=2)])
        self.assertEqual(roster.server("be1.contoso.com").port, 1)
        self.assertEqual(roster.server("be1.contoso.com").address, "be1.contoso.com")
        self.assertEqual(roster.server("be1.adatum.com").port, 2)

    def test_addresses_have_no_labels(self) -> None:
        """An IP address is not taken for the server that is called by its first number."""
        self.assertEqual(Roster([BackEnd("10", port=1)]).server("10.0.0.1").port, 80)

    def test_same_object(self) -> None:
        """The same name is the same object, so that health and pools can be kept by it."""
        roster = Roster([BackEnd("be1")])
        self.assertIs(roster.server("be1"), roster.server("BE1."))
        self.assertIsNot(roster.server("be1"), roster.server("be1", "10.0.0.1"))
