"""What must fit together."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from exfront.config import unserved
from tests.config.pem import authority
from tests.config.text import DIRECTORY, mistakes_in, places_in, settings_from


class RepetitionTests(SynchronousTestCase):
    """Things that are there twice."""

    def test_sections(self) -> None:
        """C1: a repeated section is told at its second line; the keys of both are looked at."""
        self.assertEqual(
            places_in(DIRECTORY + "x = 1\n[directory]\nurl = ldap://b\ny = 1"),
            [(4, "directory", "x"), (5, "directory", ""), (7, "directory", "y")],
        )

    def test_names(self) -> None:
        """C1: names that differ in case only are the same back-end."""
        (mistake,) = mistakes_in(DIRECTORY + "[back-end be1]\n[back-end be2]\n[back-end BE1]")
        self.assertEqual((mistake.line, mistake.section), (6, "back-end BE1"))
        self.assertIn("line 4", mistake.text)

    def test_hosts(self) -> None:
        """C1: a host belongs to one virtual server; twice in one key is no mistake, nor is a wrong value one of these."""
        text = (
            DIRECTORY
            + "[virtual-server a]\nhosts = a.com, a.com\n[virtual-server b]\nhosts = b.com\n  A.COM\n[virtual-server c]\nhosts = !"
        )
        (first, second) = mistakes_in(text)
        self.assertEqual((first.line, first.section, first.key), (8, "virtual-server b", "hosts"))
        self.assertIn("found 'a.com', which [virtual-server a] has", first.text)
        self.assertEqual((second.line, second.section), (10, "virtual-server c"))

    def test_default_hosts(self) -> None:
        """C1: two virtual servers without hosts both have every host."""
        (mistake,) = mistakes_in(DIRECTORY + "[virtual-server a]\n[virtual-server b]")
        self.assertEqual((mistake.line, mistake.key), (5, "hosts"))
        self.assertIn("by default '*'", mistake.text)

    def test_paths(self) -> None:
        """C1: a path is there once on each virtual server, in any case (F7), with or without a slash."""
        text = """
        [virtual-directory a]
        path = /x
        kind = public
        [virtual-directory b]
        path = /X/
        kind = mailbox
        """
        (mistake,) = mistakes_in(text + DIRECTORY)
        self.assertEqual((mistake.line, mistake.section, mistake.key), (6, "virtual-directory b", "path"))

    def test_paths_of_different_servers(self) -> None:
        """The same path on two virtual servers is fine, on one and all is not, and a wrong server says nothing of paths."""
        servers = DIRECTORY + "[virtual-server a]\nhosts = a\n[virtual-server b]\nhosts = b\n"
        one = "[virtual-directory 1]\npath = /x\nkind = public\nserver = a\n"
        other = "[virtual-directory 2]\npath = /x\nkind = public\nserver = b\n"
        every = "[virtual-directory 3]\npath = /x\nkind = public\n"
        wrong = "[virtual-directory 4]\npath = /x\nkind = public\nserver = c\n"
        pathless = "[virtual-directory 5]\npath = x\nkind = public\n"
        self.assertEqual(places_in(servers + one + other), [])
        self.assertEqual(places_in(servers + one + other + every), [(17, "virtual-directory 3", "path")])
        self.assertEqual(places_in(servers + one + wrong), [(15, "virtual-directory 4", "server")])
        self.assertEqual(
            places_in(servers + one + every + "server = b\n  x = y"), [(16, "virtual-directory 3", "server")]
        )
        self.assertEqual(places_in(servers + pathless), [(9, "virtual-directory 5", "path")])

    def test_addresses(self) -> None:
        """C1: an address is listened on once, status included; the wildcard takes all of its family, none all of both."""
        for listen, status, lines in (
            ("tcp:80\n  tcp:80", "", [3]),
            ("tcp:80\n  haproxy:tcp:80", "", [3]),
            ("tcp:80\n  tcp:80:interface=10.0.0.1", "", [3]),
            (r"tcp:80:interface=\:\:1" + "\n  tcp:80", "", [3]),
            ("tcp:80:interface=10.0.0.1\n  tcp:80:interface=0.0.0.0", "", [3]),
            ("tcp:80:interface=0.0.0.0\n  tcp:80:interface=10.0.0.1", "", [3]),
            ("tcp:80:interface=10.0.0.1\n  tcp:80:interface=10.0.0.2", "", []),
            (r"tcp:80:interface=10.0.0.1" + "\n " + r"tcp:80:interface=\:\:", "", []),
            ("tcp:80\n  tcp:81", "", []),
            ("tcp:80\n  udp:80\n  tcp:80", "", [3, 4]),
            ("tcp:0\n  tcp:0", "tcp:0", []),
            ("systemd:domain=INET:index=0\n  systemd:domain=INET6:index=0", "", [3]),
            ("systemd:domain=INET:index=0\n  systemd:domain=INET:index=1\n  tcp:1", "", []),
            ("tcp:80", "tcp:80", [3]),
            ("tcp:80", "tcp:127.0.0.1:81", []),
        ):
            with self.subTest(listen=listen, status=status):
                text = f"[front-end]\nlisten = {listen}\nstatus = {status}\n[directory]\nurl = ldap://a"
                self.assertEqual([one.line for one in mistakes_in(text)], lines)

    def test_status_on_the_default_port(self) -> None:
        """C1: what is listened on by default is taken too."""
        (mistake,) = mistakes_in("[front-end]\nstatus = tcp:80" + DIRECTORY)
        self.assertEqual((mistake.line, mistake.key), (2, "status"))
        self.assertEqual(
            places_in("[front-end]\nlisten = x\nstatus = tcp:80" + DIRECTORY), [(2, "front-end", "listen")]
        )


class KindTests(SynchronousTestCase):
    """What each kind of virtual directory needs."""

    def test_unknown_server(self) -> None:
        """C1: a virtual server that is not there is told with those that are."""
        text = (
            DIRECTORY + "[virtual-server main]\n[virtual-directory x]\npath = /x\nkind = public\nserver = main\n  mian"
        )
        (mistake,) = mistakes_in(text)
        self.assertEqual((mistake.line, mistake.key), (9, "server"))
        self.assertEqual(mistake.text, "found 'mian', allowed is one of main, did you mean 'main'?")

    def test_default_server(self) -> None:
        """Without any virtual server there is one called default."""
        vdir = "[virtual-directory x]\npath = /x\nkind = public\nserver = default"
        self.assertEqual(places_in(DIRECTORY + vdir), [])

    def test_tree(self) -> None:
        """C1: a tree's name or its replicas are needed; a wrong one is told once."""
        text = DIRECTORY + "[virtual-directory x]\npath = /x\nkind = tree\n"
        self.assertEqual(places_in(text), [(4, "virtual-directory x", "tree")])
        self.assertEqual(places_in(text + "replicas = a"), [])
        self.assertEqual(places_in(text + "tree = ou=x\nreplicas ="), [])
        self.assertEqual(places_in(text + "tree = x"), [(7, "virtual-directory x", "tree")])

    def test_forward(self) -> None:
        """C1: forwarding needs servers."""
        text = DIRECTORY + "[virtual-directory x]\npath = /x\nkind = forward\n"
        self.assertEqual(places_in(text), [(4, "virtual-directory x", "servers")])
        self.assertEqual(places_in(text + "servers = a"), [])

    def test_domain(self) -> None:
        """F16: who matches by domain says which, in the virtual directory or in each of its virtual servers."""
        vdir = "[virtual-directory x]\npath = /x\nkind = mailbox\nmatch = domain\n"
        one = "[virtual-server a]\nhosts = a\nsmtp_domain = a.com\n"
        two = "[virtual-server b]\nhosts = b\n"
        self.assertEqual(places_in(DIRECTORY + vdir), [(7, "virtual-directory x", "match")])
        self.assertEqual(places_in(DIRECTORY + vdir + "smtp_domain = a.com"), [])
        self.assertEqual(places_in(DIRECTORY + vdir + one), [])
        self.assertEqual(places_in(DIRECTORY + vdir + one + two), [(7, "virtual-directory x", "match")])
        self.assertEqual(places_in(DIRECTORY + vdir + "server = a\n" + one + two), [])

    def test_certificates_unused(self) -> None:
        """C1: certificates for a server that is spoken to without TLS are a misunderstanding."""
        folder = authority(self)
        text = DIRECTORY + "[back-end be1]\nca_file = ca.pem\n"
        self.assertEqual(places_in(text, folder), [(5, "back-end be1", "ca_file")])
        self.assertEqual(places_in(text + "tls = yes", folder), [])
        self.assertEqual(places_in(text + "tls = y", folder), [(6, "back-end be1", "tls")])


class UnservedTests(SynchronousTestCase):
    """What this version does not serve, and what becomes of it once it does."""

    def test_certificates_alone(self) -> None:
        """F4: certificates mean port 443 too, which is told while it is not served, where nothing else is listened on."""
        text = DIRECTORY + "[tls]\ncertificates = tls"
        self.assertEqual(places_in(text), [(5, "tls", "certificates")])
        self.assertEqual(places_in(text + "\n[front-end]\nlisten = tcp:80"), [])
        self.assertEqual(places_in(DIRECTORY + "[tls]\nhsts = 1"), [])

    def test_listed(self) -> None:
        """C1: each is told at its line with what is served instead."""
        text = """
        [front-end]
        listen = tcp:80
                 tls:443
        admin = unix:admin.sock
        [directory]
        url = srv:adatum.com
        [virtual-server default]
        authentication = forms
        [virtual-directory shop]
        path = /shop
        kind = application
        servers = a b
        [virtual-directory password]
        path = /iisadmpwd
        kind = password
        [store]
        url = redis://127.0.0.1
        """
        mistakes = mistakes_in(text)
        self.assertEqual([one.line for one in mistakes], [4, 5, 7, 9, 12, 16, 18])
        for mistake in mistakes:
            self.assertIn("which is not served by this version, allowed is ", mistake.text)

    def test_control_socket(self) -> None:
        """Once it is served, the control socket is a path beside the configuration."""
        self.patch(unserved, "UNSERVED", ())
        text = DIRECTORY + "[front-end]\nadmin = "
        self.assertEqual(
            settings_from(text + "unix:run/admin.sock", "/etc").front_end.admin, "unix:/etc/run/admin.sock"
        )
        for wrong in ("unix:", "tcp:80", "admin.sock"):
            self.assertEqual(places_in(text + wrong), [(5, "front-end", "admin")])

    def test_served(self) -> None:
        """F4: once nothing is left on the list, all of it is read, and certificates open port 443 beside port 80."""
        self.patch(unserved, "UNSERVED", ())
        found = settings_from(
            """
            [tls]
            certificates = tls
            [directory]
            url = srv:adatum.com
            [virtual-server default]
            authentication = forms
            [store]
            url = redis://127.0.0.1
            """
        )
        self.assertEqual(found.front_end.listen, ("tcp:80", "tls:443"))
        self.assertEqual(found.store.url, "redis://127.0.0.1")
