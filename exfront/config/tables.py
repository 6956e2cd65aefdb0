"""Which sections and keys there are: name, form, default and meaning of each. The reader and the documentation are made of these tables.

Owns the vocabulary of the file. Parses nothing itself, and knows no rule about two keys at once (`exfront.config.checks` does).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from exfront.config import directory_names, forms, names, settings
from exfront.config.settings import Kind, SchemaName

if TYPE_CHECKING:
    from enum import Enum

    from exfront.config.forms import Form


class Key(NamedTuple):
    """One key of a section."""

    name: str
    form: Form
    default: str
    """As it would be written. Empty: nothing, which is also what an empty value means."""
    says: str
    """One line for the documentation."""
    only: tuple[Enum, ...] = ()
    """The kinds (or schemas) that the key belongs to; empty: all."""
    required: bool = False
    field: str = ""
    """The field of the settings that it fills, where that is not its name."""


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of section."""

    title: str
    keys: tuple[Key, ...]
    fills: type[Any]
    """The dataclass of `exfront.config.settings` that such a section becomes."""
    named: bool = False
    """Whether the section is `[title NAME]`, as many as there are."""
    selector: str = ""
    """The key that says which of the keys with `only` count."""
    says: str = ""

    def key(self, name: str) -> Key | None:
        """The key of that name."""
        return next((one for one in self.keys if one.name == name), None)

    def default(self, name: str) -> Any:
        """The default value of a key that is one word, None where it has none."""
        key = self.key(name)
        return key.form.parse(key.default, Path()) if key and key.default else None


def _secret(name: str, says: str) -> tuple[Key, Key]:
    file = f"{name}_file"
    return (
        Key(name, forms.secret(), "", says),
        Key(file, forms.secret_file(), "", f"a file that holds {name}, which is not given then", field=name),
    )


_NETWORKS = forms.list_of(names.network())
_SERVERS = forms.list_of(names.host())
_URLS = forms.list_of(directory_names.directory_url(), forms.LINES, "one a line")
_DOMAINS = forms.list_of(names.domain(), forms.LIST, "separated by commas")
_FIELD_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SIZE_LIMIT = 1 << 50
_STORES = ("memory:", "redis://HOST[:PORT][/NUMBER]")

FRONT_END = Table(
    "front-end",
    (
        Key(
            "listen",
            forms.list_of(names.listening_address(), forms.LINES, "one a line"),
            "tcp:80",
            "where clients connect, one a line",
        ),
        Key("admin", names.control_address(), "", "the control socket; none by default"),
        Key(
            "status",
            names.status_address(),
            "",
            "where /live, /ready, /metrics and the status page are; nowhere by default",
        ),
        Key("key_file", forms.path(), "", "keys for cookies, newest first; made when missing"),
        Key("trusted_proxies", _NETWORKS, "", "whose X-Forwarded-* are believed; nobody's by default"),
        Key("access_log", forms.log_path(), "-", "one line a request; - is standard output"),
        Key("log_format", forms.one_of(settings.LogFormat), "combined", "how the access log's lines look"),
        Key("max_connections", forms.whole(1, 1_000_000), "20000", "client connections at once"),
        Key("header_timeout", forms.patience(), "10", "seconds for a request's head"),
        Key("body_timeout", forms.patience(), "60", "seconds without a byte of body"),
        Key("idle_timeout", forms.patience(), "75", "seconds that a client's connection is kept between requests"),
        Key("max_head_size", forms.whole(1024, 1 << 20), "65536", "bytes of a request's head; 431 beyond"),
        Key("max_body_size", forms.whole(0, _SIZE_LIMIT), "0", "bytes of a request's body; 413 beyond; 0 is no limit"),
        Key(
            "drain_timeout",
            forms.number(0, forms.DAY),
            "30",
            "seconds that requests have to end when the service stops",
        ),
    ),
    settings.FrontEnd,
    says="the listening side",
)

TLS = Table(
    "tls",
    (
        Key(
            "certificates",
            forms.path(),
            "",
            "a folder of PEM files, chain and key in each, chosen by the client's server name",
        ),
        Key(
            "minimum_version",
            forms.text_like(r"1\.[23]", "1.2 or 1.3", choices=("1.2", "1.3")),
            "1.2",
            "the oldest version of TLS",
        ),
        Key(
            "redirect_http",
            forms.switch(),
            "",
            "plain requests are redirected to https; yes where there is a tls listener",
        ),
        Key("hsts", forms.whole(0, 10 * 366 * forms.DAY), "0", "seconds of Strict-Transport-Security; 0 is none"),
    ),
    settings.Tls,
    says="the clients' side of TLS",
)

_CUSTOM = (SchemaName.CUSTOM,)
DIRECTORY = Table(
    "directory",
    (
        Key("url", _URLS, "", "the directory's servers, one a line, tried in order", required=True),
        Key("schema", forms.one_of(SchemaName), "exchange", "how entries say who lives where"),
        Key(
            "base", directory_names.distinguished_name(), "", "where accounts are; empty is everywhere (global catalog)"
        ),
        Key(
            "configuration_base",
            directory_names.distinguished_name(),
            "",
            "where stores, trees and servers are; base by default",
        ),
        Key("write_url", _URLS, "", "where passwords are changed when url is a global catalog; url by default"),
        Key("resolver", names.resolver(), "", "the DNS server for srv:; the system's by default"),
        Key("bind_dn", directory_names.distinguished_name(), "", "who searches; anonymous by default"),
        *_secret("bind_password", "the password of bind_dn"),
        Key("start_tls", forms.switch(), "no", "whether connections to ldap:// are encrypted before anything is said"),
        Key(
            "ca_file",
            forms.certificates(),
            "",
            "what verifies the directory's servers; the system's certificates by default",
        ),
        Key("timeout", forms.patience(), "5", "seconds for an answer"),
        Key("cache", forms.lifetime(), "600", "seconds that answers are used"),
        Key("negative_cache", forms.lifetime(), "10", "seconds that 'no such' is believed"),
        Key(
            "failed_cache",
            forms.lifetime(),
            "10",
            "seconds that wrong credentials are remembered; doubling up to cache",
        ),
        Key("stale", forms.lifetime(), "3600", "seconds that an expired answer may serve while no directory answers"),
        Key("poll", forms.lifetime(), "60", "seconds between looks for changed servers; 0 is never"),
        Key(
            "account_filter",
            directory_names.ldap_filter(),
            "(objectClass=*)",
            "what every account matches besides its name",
            _CUSTOM,
        ),
        Key("name_attribute", directory_names.attribute(), "uid", "holds the logon name", _CUSTOM),
        Key("address_attribute", directory_names.attribute(), "mail", "holds the mail addresses", _CUSTOM),
        Key(
            "home_attribute", directory_names.attribute(), "", "holds the home server's name; has to be given", _CUSTOM
        ),
        Key("identity_attribute", directory_names.attribute(), "entryUUID", "what users are spread by", _CUSTOM),
        Key("disabled_attribute", directory_names.attribute(), "", "switches HTTP access off; nobody's by default"),
    ),
    settings.DirectorySettings,
    selector="schema",
    says="who lives where",
)

VIRTUAL_SERVER = Table(
    "virtual-server",
    (
        Key("hosts", forms.list_of(names.host_pattern()), "*", "the host names that lead here"),
        Key(
            "authentication",
            forms.one_of(settings.Authentication),
            "basic",
            "how users say who they are; none: to the back-end",
        ),
        Key(
            "default_domain",
            forms.text_like(r"[^\s\\/@\"]{1,253}", "a domain's name"),
            "",
            "the domain of users who name none",
        ),
        Key("smtp_domain", _DOMAINS, "", "mail domains of mailboxes named without one, looked up in this order"),
        Key(
            "warn_days", forms.whole(0, 366), "14", "days before a password expires that its owner is told; forms only"
        ),
        Key(
            "root",
            forms.text_like(r"/(?![/\\])[!-\[\]-~]*", "a path that begins with one /, as it stands in a URL"),
            "",
            "where / leads; the first mailbox directory by default",
        ),
        Key(
            "realm",
            forms.text_like(r"[ !#-\[\]-~]{1,200}", "ASCII without quotes and backslash"),
            "exfront",
            "what the browser asks the password for",
        ),
    ),
    settings.VirtualServer,
    named=True,
    says="one or more host names",
)

_MAILBOX, _PUBLIC, _TREE = (Kind.MAILBOX,), (Kind.PUBLIC,), (Kind.TREE,)
_FORWARD, _APPLICATION = (Kind.FORWARD,), (Kind.APPLICATION,)
VIRTUAL_DIRECTORY = Table(
    "virtual-directory",
    (
        Key("path", names.virtual_path(), "", "where it is; the longest matching path counts", required=True),
        Key("kind", forms.one_of(Kind), "", "what is behind it", required=True),
        Key(
            "server",
            forms.list_of(forms.text_like(r"\S+", "names of virtual servers")),
            "",
            "the virtual servers it belongs to; all by default",
        ),
        Key("authentication", forms.one_of(settings.Authentication), "", "overrides the virtual server's"),
        Key("smtp_domain", _DOMAINS, "", "overrides the virtual server's", _MAILBOX),
        Key(
            "match",
            forms.one_of(settings.Match),
            "account",
            "whether an address in the URL may have another domain",
            _MAILBOX,
        ),
        Key("user_in_path", forms.switch(), "yes", "whether the first segment names a mailbox", _MAILBOX),
        Key(
            "hash",
            forms.one_of(settings.Hash),
            "rendezvous",
            "how users are spread over servers",
            _PUBLIC + _TREE + _FORWARD,
        ),
        Key("tree", directory_names.distinguished_name(), "", "the folder tree's name in the directory", _TREE),
        Key("replicas", _SERVERS, "", "the servers that hold the tree, where the directory does not list them", _TREE),
        Key("servers", _SERVERS, "", "the servers behind it", _FORWARD + _APPLICATION),
        Key(
            "affinity_cookie",
            forms.text_like(_FIELD_NAME, "a cookie's name"),
            "",
            "the application's cookie; empty: our own",
            _APPLICATION,
        ),
        Key(
            "affinity_separator",
            forms.text_like("[.:]", ". or :"),
            ".",
            "stands before the server's route in that cookie",
            _APPLICATION,
        ),
        Key(
            "sessions",
            forms.one_of(settings.Sessions),
            "local",
            "whether the servers share their sessions",
            _APPLICATION,
        ),
        Key("rebalance", forms.one_of(settings.Rebalance), "weighted", "how sessions are moved", _APPLICATION),
        Key(
            "rebalance_rate",
            forms.number(0, 1_000_000, "moves a second", above=True),
            "10",
            "moves a second at most",
            _APPLICATION,
        ),
        Key("session_timeout", forms.lifetime(), "1800", "seconds that an idle session counts", _APPLICATION),
    ),
    settings.VirtualDirectory,
    named=True,
    selector="kind",
    says="one path",
)

BACK_END = Table(
    "back-end",
    (
        Key("address", names.host(), "", "where it is; the server's name by default"),
        Key("port", forms.whole(1, 65535), "", "80 by default, 443 with tls"),
        Key("tls", forms.switch(), "no", "whether it speaks TLS"),
        Key("ca_file", forms.certificates(), "", "what verifies it; the system's certificates by default"),
        Key("weight", forms.whole(1, 1000), "1", "its share of users and sessions"),
        Key(
            "route",
            forms.text_like(r"[A-Za-z0-9_-]+", "letters, digits, _ and -"),
            "",
            "its id in an application's cookie; its name by default",
        ),
        Key("drain", forms.switch(), "no", "whether it gets no new users and sessions"),
    ),
    settings.BackEnd,
    named=True,
    says="what the directory does not say of a server",
)

FAILOVER = Table(
    "failover",
    (
        Key("unavailable", forms.lifetime(), "600", "seconds that a server is left alone that could not be reached"),
        Key("connect_timeout", forms.patience(), "3", "seconds to connect to a server"),
        Key("response_timeout", forms.patience(), "60", "seconds that a server may be silent before its answer"),
        Key("replay_limit", forms.whole(0, 1 << 30), "65536", "bytes of a body kept for another server"),
        Key(
            "probe",
            forms.text_like(r"/[!-~]*", "a path that begins with /"),
            "",
            "a path that unavailable servers are asked for; an answer below 500 ends the mark; empty is never",
        ),
        Key("probe_interval", forms.patience(), "10", "seconds between two such questions"),
        Key("referral_status", forms.whole(300, 599), "421", "the status of 'not here, there'"),
        Key(
            "referral_header",
            forms.text_like(_FIELD_NAME, "a header's name"),
            "Replica-Servers",
            "the header that says where",
        ),
    ),
    settings.Failover,
    says="servers that are down, and referrals",
)

STORE = Table(
    "store",
    (
        Key(
            "url",
            forms.text_like(r"memory:|rediss?://\S+", ", ".join(_STORES), choices=_STORES),
            "memory:",
            "where session counts are kept",
        ),
    ),
    settings.Store,
    says="what front-ends share",
)

TABLES = (FRONT_END, TLS, DIRECTORY, VIRTUAL_SERVER, VIRTUAL_DIRECTORY, BACK_END, FAILOVER, STORE)


def table_of(title: str) -> Table | None:
    """The table of sections called `[title]` or `[title NAME]`."""
    return next((one for one in TABLES if one.title == title), None)
