"""The whole file: from bytes to settings."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from exfront.config import settings as s
from exfront.config.reader import load
from exfront.config.settings import Authentication, BackEnd, DirectoryUrl, Kind, Scheme, Secret
from exfront.errors import ConfigurationError
from tests.config.text import DIRECTORY, mistakes_in, settings_from

WHOLE = """
[front-end]
listen = tcp:8080                     ; Twisted endpoint strings, one a line: tcp:80, tcp:443:interface=10.0.0.1,
         tls:8443                     ; tls:PORT[:interface=…] (certificates from [tls]), haproxy:tcp:80, systemd:domain=INET:index=0
admin = unix:run/admin.sock           ; control socket; absent = none
status = tcp:127.0.0.1:8090           ; /live, /ready, /metrics (Prometheus), /status.json, status page; absent = none
key_file = run/keys                   ; Fernet keys, newest first, for cookies; made (0600) when missing
trusted_proxies = 10.0.0.0/8          ; whose X-Forwarded-* are believed; default nobody
access_log = log/access.log           ; "-" = standard output
log_format = combined                 ; combined | json
max_connections = 20000
header_timeout = 10                   ; seconds for a request head
body_timeout = 60                     ; seconds without a byte of body
idle_timeout = 75                     ; keep-alive
max_head_size = 65536                 ; bytes; 431 beyond
max_body_size = 0                     ; bytes; 0 = no limit; 413 beyond
drain_timeout = 30

[tls]
certificates = tls/                   ; a folder of PEM files (chain + key each), chosen by SNI; reloaded when they change
minimum_version = 1.2
redirect_http = yes                   ; plain requests are redirected to https (default where there is a tls listener)
hsts = 0

[directory]
url = ldap://gc1.adatum.com:3268      ; one a line, tried in order: ldap://, ldaps://, ldif:demo.ldif (embedded),
                                      ; srv:adatum.com (global catalogs by DNS: _gc._tcp.adatum.com)
schema = exchange                     ; exchange | laser | custom
base = dc=adatum,dc=com               ; empty ("base =") = whole forest on a global catalog
configuration_base =                  ; where stores, trees and servers are; default base
write_url =                           ; where passwords are changed when url is a global catalog
resolver =                            ; DNS server ADDRESS[:PORT] for srv:; default the system's
bind_dn = cn=exfront,dc=adatum,dc=com
bind_password_file = directory.secret
start_tls = yes
ca_file =                             ; default: the system's
timeout = 5
cache = 600                           ; seconds
negative_cache = 10
failed_cache = 10                     ; doubling up to cache
stale = 3600                          ; seconds an expired answer may serve while no directory answers
poll = 60                             ; seconds between looks for changed servers; 0 = never
; schema = custom: account_filter, address_attribute, home_attribute, disabled_attribute …

[virtual-server default]
hosts = *                             ; www.adatum.com, *.adatum.com
authentication = basic                ; basic | forms | none
default_domain = ADATUM
smtp_domain = adatum.com              ; one or more, separated by commas, looked up in this order
warn_days = 14                        ; forms only
root = /exchange/                     ; where "/" leads
realm = adatum.com

[virtual-directory exchange]
path = /exchange
server = default                      ; virtual servers it belongs to; default all
kind = mailbox                        ; mailbox | public | tree | application | forward (servers = …) | password
authentication =                      ; overrides the virtual server's
smtp_domain = adatum.com
match = account                       ; account | domain
user_in_path = yes

[virtual-directory public]
path = /public
kind = public
hash = rendezvous                     ; rendezvous | range

[virtual-directory apps]
path = /apps
kind = tree
tree = CN=Apps,CN=Folder Hierarchies,CN=Configuration,DC=adatum,DC=com   ; the tree's DN; or, without a directory's list:
replicas = pf1 pf2                    ; their order counts only without authentication

[virtual-directory shop]
path = /shop
kind = application
servers = app1 app2 app3
authentication = none                 ; overrides the virtual server's
affinity_cookie =                     ; empty = exfront's own signed cookie; JSESSIONID = the application's
affinity_separator = .                ; what stands before the server's route in that cookie: "." or ":"
sessions = distributed                ; distributed | local (local: never moved)
rebalance = weighted                  ; weighted | share | off
rebalance_rate = 10                   ; moves a second at most
session_timeout = 1800

[virtual-directory password]
path = /iisadmpwd
kind = password

[back-end backend1]                   ; optional: what the directory does not say of a server
address = 127.0.0.2                   ; default: the server's name
port = 9001                           ; default 80
tls = no                              ; yes: verified against ca_file or the system's
ca_file =
weight = 1
route = node1                         ; its id in an application's cookie; default the server's name
drain = no                            ; yes: no new sessions or users, its sessions move away; set by reload

[failover]
unavailable = 600
connect_timeout = 3
response_timeout = 60
replay_limit = 65536
probe =                               ; a path to ask actively; empty = never
probe_interval = 10
referral_status = 421
referral_header = Replica-Servers

[store]
url = memory:                         ; memory: | redis://127.0.0.1:6379/0 (Redis or Valkey)
"""
"""A configuration with every section and nearly every key."""
UNSERVED_LINES = ("         tls:8443 ", "admin = unix")
UNSERVED_SECTIONS = ("[virtual-directory shop]", "[virtual-directory password]")


class WholeTests(SynchronousTestCase):
    """A configuration with everything in it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        (self.folder / "directory.secret").write_text("s3cret\n")

    def test_unserved(self) -> None:
        """C1: it has exactly the mistakes that are not served by this version, each at its line."""
        mistakes = mistakes_in(WHOLE, self.folder)
        lines = WHOLE.split("\n")
        self.assertEqual(
            [(one.section, one.key, lines[one.line - 1].split(";")[0].split("=")[-1].strip()) for one in mistakes],
            [
                ("front-end", "listen", "tls:8443"),
                ("front-end", "admin", "unix:run/admin.sock"),
                ("virtual-directory shop", "kind", "application"),
                ("virtual-directory password", "kind", "password"),
            ],
        )
        for mistake in mistakes:
            self.assertIn("not served by this version", mistake.text)

    def test_served(self) -> None:
        """What is left without these is read, every key of it."""
        served = "\n".join(line for line in WHOLE.split("\n") if not line.startswith(UNSERVED_LINES))
        blocks = [block for block in served.split("\n\n") if not block.startswith(UNSERVED_SECTIONS)]
        found = settings_from("\n\n".join(blocks), self.folder)
        self.assertEqual(found.file, self.folder / "fe.ini")
        self.assertEqual(found.front_end.listen, ("tcp:8080",))
        self.assertEqual(found.front_end.status, "tcp:8090:interface=127.0.0.1")
        self.assertEqual(found.front_end.access_log, self.folder / "log/access.log")
        self.assertEqual(found.tls, s.Tls(self.folder / "tls", redirect_http=True))
        directory = found.directory
        assert directory is not None
        self.assertEqual(directory.url, (DirectoryUrl(Scheme.LDAP, "gc1.adatum.com", 3268),))
        self.assertEqual(directory.configuration_base, "dc=adatum,dc=com")
        self.assertEqual(directory.bind_password, Secret("s3cret"))
        self.assertNotIn("s3cret", repr(found))
        self.assertEqual(found.virtual_servers[0].smtp_domain, ("adatum.com",))
        self.assertEqual([one.kind for one in found.virtual_directories], [Kind.MAILBOX, Kind.PUBLIC, Kind.TREE])
        self.assertEqual([one.authentication for one in found.virtual_directories], [None] * 3)
        self.assertEqual(found.virtual_directories[2].replicas, ("pf1", "pf2"))
        self.assertEqual(found.back_ends, (BackEnd("backend1", "127.0.0.2", 9001, route="node1"),))
        self.assertEqual((found.failover, found.store), (s.Failover(), s.Store()))


class DefaultTests(SynchronousTestCase):
    """What a configuration does not say."""

    def test_fresh(self) -> None:
        """F11, F4: a directory is enough: mailboxes and public folders, Basic for every host, port 80."""
        found = settings_from(DIRECTORY)
        self.assertEqual(found.front_end, s.FrontEnd())
        self.assertEqual(found.front_end.listen, ("tcp:80",))
        self.assertEqual(found.tls, s.Tls())
        self.assertEqual(found.virtual_servers, (s.VirtualServer("default"),))
        self.assertEqual(
            [(one.name, one.path, one.kind, one.authentication) for one in found.virtual_directories],
            [("exchange", "/exchange", Kind.MAILBOX, None), ("public", "/public", Kind.PUBLIC, None)],
        )
        self.assertEqual((found.back_ends, found.failover, found.store), ((), s.Failover(), s.Store()))

    def test_without_directory(self) -> None:
        """Forwarding without authentication needs no directory."""
        text = """
        [virtual-directory shop]
        path = /shop
        kind = forward
        servers = app1
        authentication = none
        """
        found = settings_from(text)
        self.assertIsNone(found.directory)
        self.assertIs(found.virtual_directories[0].authentication, Authentication.NONE)

    def test_configuration_base(self) -> None:
        """The configuration is looked for below the base, unless it has its own."""
        for text, expected in (("", ""), ("base = dc=a", "dc=a"), ("base = dc=a\nconfiguration_base = dc=b", "dc=b")):
            directory = settings_from(DIRECTORY + text).directory
            assert directory is not None
            self.assertEqual(directory.configuration_base, expected)

    def test_domain_twice(self) -> None:
        """F11: listing a domain twice, in one key or in two virtual directories, changes nothing."""
        text = """
        [virtual-server default]
        smtp_domain = a.com, b.com, A.com
        [virtual-directory one]
        path = /one
        kind = mailbox
        smtp_domain = a.com, a.com
        [virtual-directory two]
        path = /two
        kind = mailbox
        smtp_domain = A.COM
        """
        found = settings_from(text + DIRECTORY)
        self.assertEqual(found.virtual_servers[0].smtp_domain, ("a.com", "b.com"))
        self.assertEqual([one.smtp_domain for one in found.virtual_directories], [("a.com",)] * 2)

    def test_names(self) -> None:
        """Back-ends are known by lower-case names, virtual servers and directories as they are written."""
        text = (
            DIRECTORY
            + "[back-end BE1]\n[virtual-server Main]\n[virtual-directory X]\npath = /X\nkind = public\nserver = Main"
        )
        found = settings_from(text)
        self.assertEqual(found.back_ends[0].name, "be1")
        self.assertEqual((found.virtual_servers[0].name, found.virtual_directories[0].name), ("Main", "X"))


class LoadTests(SynchronousTestCase):
    """The file itself."""

    def test_load(self) -> None:
        """A file is read by its name, also relative to where one is; what it names is relative to the file, and absolute."""
        path = Path(self.mktemp())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(DIRECTORY + "[front-end]\nkey_file = keys\n")
        for name in (path, str(path)):
            found = load(name)
            self.assertEqual(found.file, path.absolute())
            self.assertEqual(found.front_end.key_file, path.absolute().parent / "keys")

    def test_unreadable(self) -> None:
        """C1: a file that is not there, is a folder or has an impossible name is one mistake, without a line."""
        folder = self.mktemp()
        Path(folder).mkdir(parents=True)
        for name in (folder + "/missing.ini", folder, "a\0b", "x" * 5000):
            error = self.assertRaises(ConfigurationError, load, name)
            (mistake,) = error.mistakes
            self.assertTrue(str(mistake).startswith(f"{name}: cannot be read: "))
            self.assertNotIn("Errno", mistake.text)
            self.assertGreater(len(mistake.text), len("cannot be read: "))

    def test_named_as_given(self) -> None:
        """C1: mistakes name the file as it was given, in the order of lines."""
        path = Path(self.mktemp())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"[nonsense]\n[front-end]\nlisten = x\nhunter\n[tls]\nhsts = \xff\n")
        error = self.assertRaises(ConfigurationError, load, str(path))
        self.assertEqual([one.line for one in error.mistakes], [1, 1, 3, 4, 6, 6])
        self.assertEqual({one.file for one in error.mistakes}, {str(path)})

    def test_frozen(self) -> None:
        """Settings are values: equal when the text is equal, hashable in every part."""
        self.assertEqual(settings_from(DIRECTORY), settings_from(DIRECTORY))
        hash(settings_from(DIRECTORY))


class ReactorTests(SynchronousTestCase):
    """Reading a configuration is no part of running."""

    def test_no_reactor(self) -> None:
        """A configuration, a search filter included, is read without a reactor being installed."""
        path = Path(self.mktemp()).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(DIRECTORY + "schema = custom\nhome_attribute = host\naccount_filter = (a=b)\n")
        code = "import sys; from exfront.config.reader import load; load(sys.argv[1]); print('twisted.internet.reactor' in sys.modules)"
        command = [sys.executable, "-c", code, str(path)]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "False\n")


class SampleTests(SynchronousTestCase):
    """The configuration that comes with exfront."""

    def test_right(self) -> None:
        """C1: it has no mistake where its directory file is, and all of it stays on this machine, above port 1024."""
        sample = Path(__file__).parents[2] / "etc" / "fe.ini"
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        (folder / "demo.ldif").write_bytes(b"")
        found = settings_from(sample.read_text(), folder)
        self.assertEqual(found.front_end.listen, ("tcp:8080:interface=127.0.0.1",))
        self.assertEqual(found.front_end.status, "tcp:8090:interface=127.0.0.1")
        self.assertEqual({one.address for one in found.back_ends}, {"127.0.0.1"})
        self.assertTrue(all(one.port and one.port > 1024 for one in found.back_ends))

    def test_comments_are_right(self) -> None:
        """Keys that are commented out in it are right when they are not."""
        sample = (Path(__file__).parents[2] / "etc" / "fe.ini").read_text()
        for key in ("trusted_proxies", "max_body_size", "bind_dn", "bind_password_file", "start_tls"):
            self.assertIn(f"\n; {key} = ", sample)


def every_field(value: Any) -> list[str]:
    """Names of a dataclass's fields."""
    assert is_dataclass(value)
    return [one.name for one in fields(value)]


class CompleteTests(SynchronousTestCase):
    """The tables against the settings."""

    def test_every_field_has_a_key(self) -> None:
        """There is no setting that the file cannot say."""
        from exfront.config.tables import TABLES

        for table in TABLES:
            keys = {key.field or key.name for key in table.keys} | ({"name"} if table.named else set())
            self.assertEqual(keys, set(every_field(table.fills)), table.title)
