"""The directory's own keys, and when there has to be a directory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.pem import authority
from tests.config.text import DIRECTORY, mistakes_in, places_in

OPEN = "[virtual-server default]\nauthentication = none\n"
"""Three lines with nobody to authenticate (the last one empty)."""


class DirectoryTests(SynchronousTestCase):
    """`[directory]` and the sections that ask it."""

    def test_bind(self) -> None:
        """C1: a name and one password, or neither."""
        for text, keys in (
            ("bind_dn = cn=x", ["bind_dn"]),
            ("bind_password = x", ["bind_password"]),
            ("bind_dn = x\nbind_password = x", ["bind_dn"]),
            ("bind_dn = cn=x\nbind_password = x", []),
            ("bind_dn = cn=x\nbind_password = x\nbind_password_file = missing", ["bind_password_file"] * 2),
        ):
            self.assertEqual([one.key for one in mistakes_in(DIRECTORY + text)], keys, text)

    def test_start_tls(self) -> None:
        """C1: TLS is not begun twice."""
        self.assertEqual(places_in("[directory]\nurl = ldap://a\nstart_tls = yes"), [])
        self.assertEqual(places_in("[directory]\nurl = ldaps://a\nstart_tls = no"), [])
        text = "[directory]\nurl = ldap://a\n  ldaps://b\nwrite_url = ldaps://b\nstart_tls = yes"
        self.assertEqual(places_in(text), [(5, "directory", "start_tls")] * 2)

    def test_certificates_unused(self) -> None:
        """C1: certificates where the directory is spoken to without TLS are a misunderstanding."""
        folder = authority(self)
        for text, places in (
            ("url = ldap://a\nca_file = ca.pem", [(3, "directory", "ca_file")]),
            ("url = ldap://a\nca_file = ca.pem\nstart_tls = yes", []),
            ("url = ldaps://a\nca_file = ca.pem", []),
            ("url = ldap://a\nca_file = ca.pem\nwrite_url = ldaps://b", []),
            ("url = ldp://a\nca_file = ca.pem", [(2, "directory", "url")]),
        ):
            self.assertEqual(places_in("[directory]\n" + text, folder), places, text)

    def test_ldif_alone(self) -> None:
        """C1: a directory in a file is the only one."""
        folder = authority(self)
        self.assertEqual(places_in("[directory]\nurl = ldif:ca.pem", folder), [])
        self.assertEqual(places_in("[directory]\nurl = ldap://a\n  ldif:ca.pem", folder), [(3, "directory", "url")])

    def test_custom(self) -> None:
        """C1: the custom schema needs to know where the home server is."""
        self.assertEqual(places_in(DIRECTORY + "schema = custom"), [(2, "directory", "home_attribute")])
        self.assertEqual(places_in(DIRECTORY + "schema = custom\nhome_attribute = mailHost"), [])
        self.assertEqual(
            places_in(DIRECTORY + "schema = custom\nhome_attribute = !"), [(5, "directory", "home_attribute")]
        )

    def test_needed_by_default(self) -> None:
        """C1: an empty file has mailboxes, and they need a directory (F11)."""
        (mistake,) = mistakes_in("")
        self.assertEqual((mistake.line, mistake.section, mistake.key), (1, "directory", ""))

    def test_needed_by_kind(self) -> None:
        """C1: mailboxes, public folders and trees without replicas are found in the directory, also without authentication."""
        for kind, lines in (
            ("kind = mailbox", [5]),
            ("kind = public", [5]),
            ("kind = tree\ntree = dc=x", [5]),
            ("kind = tree\nreplicas = a", []),
            ("kind = forward\nservers = a", []),
            ("kind = nonsense", [5]),
        ):
            text = OPEN + f"[virtual-directory x]\npath = /x\n{kind}"
            self.assertEqual([one.line for one in mistakes_in(text)], lines, kind)

    def test_told_once(self) -> None:
        """C1: the section that is not there is told once."""
        text = "[virtual-directory x]\npath = /x\nkind = mailbox\n[virtual-directory y]\npath = /y\nkind = public\n"
        self.assertEqual(places_in(text), [(3, "directory", "")])

    def test_needed_by_authentication(self) -> None:
        """C1: passwords are checked by the directory, by whatever section they are wanted."""
        forward = "[virtual-directory x]\npath = /x\nkind = forward\nservers = a\n"
        other = "[virtual-server other]\nhosts = b\n"
        for text, places in (
            (forward, [(1, "directory", "")]),
            (forward + "authentication = none", []),
            (forward.replace("kind = forward", "kind = nonsense"), [(3, "virtual-directory x", "kind")]),
            (OPEN + forward, []),
            (OPEN + forward + "authentication = basic", [(3, "directory", "")]),
            (OPEN + other + forward, [(5, "directory", "")]),
            (OPEN + other + forward + "server = default", []),
            (OPEN + other + forward + "server = other", [(5, "directory", "")]),
            (forward + "authentication = bsic", [(5, "virtual-directory x", "authentication")]),
            (OPEN.replace("none", "nine") + forward, [(2, "virtual-server default", "authentication")]),
        ):
            self.assertEqual(places_in(text), places, text)
