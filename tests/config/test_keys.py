"""Every key: which values it takes and what becomes of them, which it refuses."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from exfront.config import settings as s
from exfront.config.ini import parts_of
from exfront.config.sections import section_of
from exfront.config.settings import DirectoryUrl, Kind, Scheme, Secret
from exfront.config.tables import TABLES, table_of

HERE = Path("/etc/exfront")
SWITCH: tuple[dict[str, Any], tuple[str, ...]] = (
    {"yes": True, "TRUE": True, "on": True, "1": True, "no": False, "false": False, "Off": False, "0": False},
    ("maybe", "2", "yes no"),
)
PATIENCE: tuple[dict[str, Any], tuple[str, ...]] = (
    {"0.2": 0.2, "86400": 86400},
    ("0", "-1", "nan", "inf", "1e3", "86401", "10s", "1_0", "٣", "9" * 400),
)
LIFETIME: tuple[dict[str, Any], tuple[str, ...]] = (
    {"0": 0, "600": 600, "1.5": 1.5},
    ("-1", "nan", "infinity", "315360001"),
)
DN: tuple[dict[str, Any], tuple[str, ...]] = (
    {
        "dc=adatum,dc=com": "dc=adatum,dc=com",
        r"CN=a\, b+UID=x , 2.5.4.3=é\2c": r"CN=a\, b+UID=x , 2.5.4.3=é\2c",
    },
    ("adatum.com", "dc=adatum,", "dc=", "=x", "dc=a,,dc=b", "\\", "dc=a\\", "dc=a\\zz", "a=<b>"),
)
ATTRIBUTE: tuple[dict[str, Any], tuple[str, ...]] = (
    {"mail": "mail", "msExch-1": "msExch-1", "2.5.4.3": "2.5.4.3"},
    ("a b", "1x", "ü", "-a"),
)
NO_FILE: tuple[dict[str, Any], tuple[str, ...]] = ({}, ("missing.pem", "x" * 5000, "."))
LONGEST = ".".join(["abc"] * 63 + ["a"])
HOSTS: tuple[dict[str, Any], tuple[str, ...]] = (
    {
        "pf1 PF2,pf3": ("pf1", "pf2", "pf3"),
        "10.0.0.1 [::1] fe80::1": ("10.0.0.1", "::1", "fe80::1"),
        LONGEST: (LONGEST,),
        "bücher.de": ("xn--bcher-kva.de",),
    },
    ("a..b", "-a", "10.0.0.256", "host:80", "a/b", "[::1", "1::1]", "x" * 64, "[a]", LONGEST + "b"),
)
DOMAINS: tuple[dict[str, Any], tuple[str, ...]] = (
    {"Adatum.com, b.de": ("adatum.com", "b.de"), "Bücher.example": ("xn--bcher-kva.example",)},
    ("anna@adatum.com", "a..b", "*.adatum.com", "a b!", "ü" * 64),
)
URLS: dict[str, Any] = {
    "ldap://GC1.adatum.com": (DirectoryUrl(Scheme.LDAP, "gc1.adatum.com", 389),),
    "ldaps://gc1/\n  LDAP://10.0.0.1:3268": (
        DirectoryUrl(Scheme.LDAPS, "gc1", 636),
        DirectoryUrl(Scheme.LDAP, "10.0.0.1", 3268),
    ),
    "ldap://[2001:db8::1]:390": (DirectoryUrl(Scheme.LDAP, "2001:db8::1", 390),),
    "ldap://gc1:1": (DirectoryUrl(Scheme.LDAP, "gc1", 1),),
    "ldap://[::1]": (DirectoryUrl(Scheme.LDAP, "::1", 389),),
}
BAD_URLS = (
    "http://gc1",
    "gc1.adatum.com",
    "ldap:gc1",
    "ldap://",
    "ldap://gc1:0",
    "ldap://gc1:65536",
    "ldap://gc1:",
    "ldap://gc1:1_0",
    "ldap://::1",
    "ldap://[::1",
    "ldap://[gc1]",
    "ldap://gc1/dc=adatum",
    "ldap://anna:secret@gc1",
    "ldif:",
    "ldif:missing.ldif",
    "srv:a..b",
    "srv:adatum.com",  # not served by this version
)
TOKEN: tuple[dict[str, Any], tuple[str, ...]] = (
    {"JSESSIONID": "JSESSIONID", "X-a_b": "X-a_b"},
    ("a b", "a:b", "ü", "a=b"),
)

DEEP = "(!" * 49 + "(a=b)" + ")" * 49
KEYS: dict[tuple[str, str], tuple[dict[str, Any], tuple[str, ...]]] = {
    ("front-end", "listen"): (
        {
            "tcp:80": ("tcp:80",),
            "tcp:0\n haproxy:tcp:8080": ("tcp:0", "haproxy:tcp:8080"),
            "tcp:80:interface=10.0.0.1": ("tcp:80:interface=10.0.0.1",),
            r"tcp:80:interface=\:\:1": (r"tcp:80:interface=\:\:1",),
            "tcp:80:interface=[::1]": (r"tcp:80:interface=\:\:1",),
            "tcp:[::1]:80": (r"tcp:80:interface=\:\:1",),
            "haproxy:tcp:10.0.0.1:80": ("haproxy:tcp:80:interface=10.0.0.1",),
            "systemd:domain=INET:index=0": ("systemd:domain=INET:index=0",),
            "haproxy:systemd:domain=INET6:index=01": ("haproxy:systemd:domain=INET6:index=1",),
        },
        (
            "80",
            "tcp:",
            "tcp:65536",
            "tcp:http",
            "tcp:80:interface=",
            "tcp:80:interface=localhost",
            "tcp:80:backlog=5",
            "tcp:10.0.0.300:80",
            "tcp:10.0.0.1:",
            "udp:80",
            "unix:x",
            "systemd:index=0",
            "systemd:domain=UNIX:index=0",
            "haproxy:tls:443",
            "tls:x",
            "tls:443",  # not served by this version
        ),
    ),
    ("front-end", "admin"): ({}, ("tcp:80", "unix:", "unix:run/admin.sock")),
    ("front-end", "status"): (
        {
            "tcp:127.0.0.1:8090": "tcp:8090:interface=127.0.0.1",
            "tcp:8090:interface=127.0.0.1": "tcp:8090:interface=127.0.0.1",
            "tcp:8090": "tcp:8090",
        },
        ("8090", "tls:1", "haproxy:tcp:1", "systemd:domain=INET:index=0", "tcp:1 tcp:2"),
    ),
    ("front-end", "key_file"): ({"run/keys": HERE / "run/keys", "/keys": Path("/keys")}, ()),
    ("front-end", "trusted_proxies"): (
        {
            "10.0.0.0/8, 192.0.2.1": (ip_network("10.0.0.0/8"), ip_network("192.0.2.1")),
            "2001:db8::/32\n ::1": (ip_network("2001:db8::/32"), ip_network("::1")),
        },
        ("10.0.0.1/8", "10.0.0.0/33", "localhost", "10/8"),
    ),
    ("front-end", "access_log"): ({"-": None, "log/a.log": HERE / "log/a.log"}, ()),
    ("front-end", "log_format"): ({"combined": s.LogFormat.COMBINED, "JSON": s.LogFormat.JSON}, ("common",)),
    ("front-end", "max_connections"): ({"1": 1, "1000000": 1_000_000}, ("0", "-1", "1000001", "many", "1.5", "१")),
    ("front-end", "header_timeout"): PATIENCE,
    ("front-end", "body_timeout"): PATIENCE,
    ("front-end", "idle_timeout"): PATIENCE,
    ("front-end", "max_head_size"): ({"1024": 1024, "1048576": 1 << 20}, ("1023", "1048577", "64k")),
    ("front-end", "max_body_size"): ({"0": 0, "52428800": 52428800}, ("-1", "1" + "0" * 18)),
    ("front-end", "drain_timeout"): ({"0": 0, "30": 30}, ("-1", "86401")),
    ("tls", "certificates"): ({"tls/": HERE / "tls"}, ()),
    ("tls", "minimum_version"): ({"1.2": "1.2", "1.3": "1.3"}, ("1.1", "1", "TLSv1.2")),
    ("tls", "redirect_http"): SWITCH,
    ("tls", "hsts"): ({"0": 0, "31536000": 31536000}, ("-1", "yes")),
    ("directory", "url"): (URLS, BAD_URLS),
    ("directory", "write_url"): (URLS, BAD_URLS),
    ("directory", "schema"): (
        {"exchange": s.SchemaName.EXCHANGE, "Laser": s.SchemaName.LASER, "custom": s.SchemaName.CUSTOM},
        ("ad",),
    ),
    ("directory", "base"): DN,
    ("directory", "configuration_base"): DN,
    ("directory", "resolver"): (
        {"10.0.0.1": "10.0.0.1:53", "10.0.0.1:5353": "10.0.0.1:5353", "::1": "[::1]:53", "[::1]:5353": "[::1]:5353"},
        ("dns.adatum.com", "10.0.0.1:0", "[::1", "10.0.0.1:x"),
    ),
    ("directory", "bind_dn"): DN,
    ("directory", "bind_password"): ({"x=y; z%": Secret("x=y; z%")}, ("one\n two",)),
    ("directory", "bind_password_file"): NO_FILE,
    ("directory", "start_tls"): SWITCH,
    ("directory", "ca_file"): NO_FILE,
    ("directory", "timeout"): PATIENCE,
    ("directory", "cache"): LIFETIME,
    ("directory", "negative_cache"): LIFETIME,
    ("directory", "failed_cache"): LIFETIME,
    ("directory", "stale"): LIFETIME,
    ("directory", "poll"): LIFETIME,
    ("directory", "account_filter"): (
        {
            DEEP: DEEP,
            "(objectClass=person)": "(objectClass=person)",
            "(&(a=b)(!(c=*)))": "(&(a=b)(!(c=*)))",
        },
        ("objectClass=person", "(a=b", "(", "(!" * 50 + "(a=b)" + ")" * 50, "(!" * 3000),
    ),
    ("directory", "name_attribute"): ATTRIBUTE,
    ("directory", "address_attribute"): ATTRIBUTE,
    ("directory", "home_attribute"): ATTRIBUTE,
    ("directory", "identity_attribute"): ATTRIBUTE,
    ("directory", "disabled_attribute"): ATTRIBUTE,
    ("virtual-server", "hosts"): (
        {
            "*": ("*",),
            "WWW.adatum.com, *.Adatum.com": ("www.adatum.com", "*.adatum.com"),
            "127.0.0.1 [::1]": ("127.0.0.1", "::1"),
            "*.bücher.de": ("*.xn--bcher-kva.de",),
        },
        ("www.*", "*adatum.com", "www.adatum.com:80", "**", "*.*", "*.", "a_b-.c", "*.[::1]"),
    ),
    ("virtual-server", "authentication"): (
        {"basic": s.Authentication.BASIC, "NONE": s.Authentication.NONE},
        ("digest", "forms"),
    ),
    ("virtual-server", "default_domain"): (
        {"ADATUM": "ADATUM", "adatum.com": "adatum.com"},
        ("A\\B", "a@b", "a b", "a/b"),
    ),
    ("virtual-server", "smtp_domain"): DOMAINS,
    ("virtual-server", "warn_days"): ({"0": 0, "366": 366}, ("-1", "367")),
    ("virtual-server", "root"): (
        {"/": "/", "/exchange/?a=%20": "/exchange/?a=%20"},
        ("exchange", "//evil.com", "/\\evil.com", "http://x/", "/a b", "/ü"),
    ),
    ("virtual-server", "realm"): ({"Adatum's mail": "Adatum's mail"}, ('a"b', "a\\b", "ü", "x" * 201)),
    ("virtual-directory", "path"): (
        {"/": "/", "/Exchange/": "/Exchange", "/a/b-c": "/a/b-c", "/a/.b": "/a/.b"},
        ("exchange", "//", "/a//b", "/a/../b", "/.", "/a/./", "/a%20b", "/a?b", "/a#b", "/a\\b", "/a b", "/ä", "/a//"),
    ),
    ("virtual-directory", "kind"): (
        {"mailbox": Kind.MAILBOX, "Public": Kind.PUBLIC, "tree": Kind.TREE, "forward": Kind.FORWARD},
        ("mail", "application", "password"),
    ),
    ("virtual-directory", "server"): ({"default, other": ("default", "other")}, ()),
    ("virtual-directory", "authentication"): ({"none": s.Authentication.NONE}, ("nobody", "forms")),
    ("virtual-directory", "smtp_domain"): DOMAINS,
    ("virtual-directory", "match"): ({"account": s.Match.ACCOUNT, "domain": s.Match.DOMAIN}, ("both",)),
    ("virtual-directory", "user_in_path"): SWITCH,
    ("virtual-directory", "hash"): ({"rendezvous": s.Hash.RENDEZVOUS, "range": s.Hash.RANGE}, ("md5",)),
    ("virtual-directory", "tree"): DN,
    ("virtual-directory", "replicas"): HOSTS,
    ("virtual-directory", "servers"): HOSTS,
    ("virtual-directory", "affinity_cookie"): TOKEN,
    ("virtual-directory", "affinity_separator"): ({".": ".", ":": ":"}, ("!", "..")),
    ("virtual-directory", "sessions"): (
        {"distributed": s.Sessions.DISTRIBUTED, "local": s.Sessions.LOCAL},
        ("global",),
    ),
    ("virtual-directory", "rebalance"): (
        {"weighted": s.Rebalance.WEIGHTED, "share": s.Rebalance.SHARE, "off": s.Rebalance.OFF},
        ("on",),
    ),
    ("virtual-directory", "rebalance_rate"): ({"0.5": 0.5, "10": 10}, ("0", "fast", "nan")),
    ("virtual-directory", "session_timeout"): LIFETIME,
    ("back-end", "address"): (
        {"127.0.0.2": "127.0.0.2", "[::1]": "::1", "::1": "::1", "BE1.adatum.com": "be1.adatum.com"},
        ("127.0.0.2:80", "a b", "1.2.3", "[]"),
    ),
    ("back-end", "port"): ({"1": 1, "65535": 65535}, ("0", "65536", "http")),
    ("back-end", "tls"): SWITCH,
    ("back-end", "ca_file"): NO_FILE,
    ("back-end", "weight"): ({"1": 1, "1000": 1000}, ("0", "1001", "1.5")),
    ("back-end", "route"): ({"node_1-a": "node_1-a"}, ("node.1", "a b")),
    ("back-end", "drain"): SWITCH,
    ("failover", "unavailable"): LIFETIME,
    ("failover", "connect_timeout"): PATIENCE,
    ("failover", "response_timeout"): PATIENCE,
    ("failover", "replay_limit"): ({"0": 0, "65536": 65536}, ("-1", str((1 << 30) + 1))),
    ("failover", "probe"): ({"/alive?x": "/alive?x", "/": "/"}, ("alive", "/a b")),
    ("failover", "probe_interval"): PATIENCE,
    ("failover", "referral_status"): ({"421": 421, "300": 300, "599": 599}, ("200", "299", "600")),
    ("failover", "referral_header"): TOKEN,
    ("store", "url"): ({"memory:": "memory:"}, ("memory", "disk:", "redis://127.0.0.1:6379/0", "rediss://r")),
}
NAMES = {"virtual-server": " one", "virtual-directory": " one", "back-end": " one"}


class KeyTests(SynchronousTestCase):
    """The table above against the tables of the configuration."""

    def test_complete(self) -> None:
        """Every key is tested here, and there is no other."""
        self.assertEqual(set(KEYS), {(table.title, key.name) for table in TABLES for key in table.keys})

    def test_good(self) -> None:
        """Each right value becomes what it says."""
        for (title, key), (good, _) in KEYS.items():
            for text, value in good.items():
                section, mistakes = self.read(title, key, text)
                self.assertEqual(
                    [one for one in mistakes if one.key == key and "allowed with" not in one.text],
                    [],
                    (title, key, text),
                )
                self.assertEqual(section.values[key], value, (title, key, text))

    def test_bad(self) -> None:
        """C1: each wrong value is told once, at its line, with what is allowed; it does not become a value."""
        for (title, key), (_, bad) in KEYS.items():
            for text in bad:
                section, mistakes = self.read(title, key, text)
                found = [one for one in mistakes if one.key == key and "allowed with" not in one.text]
                self.assertEqual(len(found), 1, (title, key, text, found))
                self.assertNotIn(key, section.values)
                self.assertTrue(section.refused(key))
                self.assertIn(found[0].line, (2, 3))
                self.assertTrue(
                    "allowed is" in found[0].text or "not served by this version" in found[0].text, found[0]
                )

    def test_empty(self) -> None:
        """An empty value is the default where that is nothing, else a mistake that says what is allowed."""
        for table in TABLES:
            for key in table.keys:
                section, mistakes = self.read(table.title, key.name, "")
                told = [one for one in mistakes if one.key == key.name and one.line == 2]
                self.assertEqual(bool(told), bool(key.default) or key.required, (table.title, key.name))
                self.assertNotIn(key.name, section.values)

    def test_defaults(self) -> None:
        """What the documentation gives as default is what a section without the key becomes."""
        for table in TABLES:
            for key in table.keys:
                default = table.fills.__dataclass_fields__[key.field or key.name].default
                if key.default:
                    value = key.form.parse(key.default, HERE)
                    self.assertEqual((value,) if key.form.separator else value, default, (table.title, key.name))
                elif not key.required:
                    self.assertIn(default, (None, "", ()), (table.title, key.name))

    def test_described(self) -> None:
        """Every key and section has a line for the documentation and says what it allows."""
        for table in TABLES:
            self.assertTrue(table.says)
            for key in table.keys:
                self.assertTrue(key.says and key.form.allowed, (table.title, key.name))

    def read(self, title: str, key: str, text: str) -> tuple[Any, list[Any]]:
        """A section with that key alone, and its mistakes."""
        self.assertIsNotNone(table_of(title))
        parts, faults = parts_of(f"[{title}{NAMES.get(title, '')}]\n{key} = {text}")
        self.assertEqual(faults, ())
        section, mistakes = section_of(parts[-1], "fe.ini", HERE)
        self.assertIsNotNone(section)
        return section, mistakes
