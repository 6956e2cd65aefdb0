"""What a configuration says once it is read: frozen dataclasses, one per section, one field per key.

Owns the shape only; `exfront.config.reader` makes these from INI text and reports mistakes. Times are seconds, sizes bytes.
Paths are absolute (they were relative to the file).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network
    from pathlib import Path


class Authentication(Enum):
    BASIC = "basic"
    FORMS = "forms"
    NONE = "none"


class Kind(Enum):
    MAILBOX = "mailbox"
    PUBLIC = "public"
    TREE = "tree"
    APPLICATION = "application"
    FORWARD = "forward"
    PASSWORD = "password"  # noqa: S105  a kind of virtual directory


class Match(Enum):
    ACCOUNT = "account"
    DOMAIN = "domain"


class Hash(Enum):
    RENDEZVOUS = "rendezvous"
    RANGE = "range"


class LogFormat(Enum):
    COMBINED = "combined"
    JSON = "json"


class SchemaName(Enum):
    EXCHANGE = "exchange"
    LASER = "laser"
    CUSTOM = "custom"


class Sessions(Enum):
    DISTRIBUTED = "distributed"
    LOCAL = "local"


class Rebalance(Enum):
    WEIGHTED = "weighted"
    SHARE = "share"
    OFF = "off"


class Scheme(Enum):
    LDAP = "ldap"
    LDAPS = "ldaps"
    LDIF = "ldif"
    SRV = "srv"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that never shows: its repr is fixed. Ask for `value` where it is used."""

    value: str = field(repr=False)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class DirectoryUrl:
    """One line of `[directory] url`."""

    scheme: Scheme
    host: str = ""
    """Host name or address; for SRV the domain; empty for LDIF."""
    port: int = 0
    """Default 389 (ldap), 636 (ldaps); 0 for LDIF and SRV."""
    path: Path | None = None
    """The file, for LDIF."""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    listen: tuple[str, ...] = ("tcp:80",)
    admin: str | None = None
    status: str | None = None
    key_file: Path | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    access_log: Path | None = None
    """None is standard output (`-`, the default)."""
    log_format: LogFormat = LogFormat.COMBINED
    max_connections: int = 20000
    header_timeout: float = 10
    body_timeout: float = 60
    idle_timeout: float = 75
    max_head_size: int = 65536
    max_body_size: int = 0
    drain_timeout: float = 30


@dataclass(frozen=True, slots=True)
class Tls:
    certificates: Path | None = None
    minimum_version: str = "1.2"
    redirect_http: bool | None = None
    hsts: int = 0


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    url: tuple[DirectoryUrl, ...]
    schema: SchemaName = SchemaName.EXCHANGE
    base: str = ""
    configuration_base: str = ""
    """Default: `base`."""
    write_url: tuple[DirectoryUrl, ...] = ()
    resolver: str | None = None
    bind_dn: str = ""
    """Empty: searches are anonymous."""
    bind_password: Secret | None = None
    start_tls: bool = False
    ca_file: Path | None = None
    timeout: float = 5
    cache: float = 600
    negative_cache: float = 10
    failed_cache: float = 10
    stale: float = 3600
    poll: float = 60
    # these are for the custom schema, but for the last
    account_filter: str = "(objectClass=*)"
    """An LDAP filter that every account must match besides its name (RFC 4515)."""
    name_attribute: str = "uid"
    address_attribute: str = "mail"
    home_attribute: str = ""
    """The attribute that holds the home server's name; required for schema custom."""
    identity_attribute: str = "entryUUID"
    disabled_attribute: str = ""
    """Any value but empty, `FALSE`, `no` or `0` switches HTTP off (F18); empty: nobody is switched off."""


@dataclass(frozen=True, slots=True)
class VirtualServer:
    name: str
    hosts: tuple[str, ...] = ("*",)
    """Lower-case names: exact, `*.domain`, or `*`."""
    authentication: Authentication = Authentication.BASIC
    default_domain: str = ""
    smtp_domain: tuple[str, ...] = ()
    warn_days: int = 14
    root: str | None = None
    """Where `/` leads; None: the first mailbox directory's path with a slash behind it."""
    realm: str = "exfront"


@dataclass(frozen=True, slots=True)
class VirtualDirectory:
    name: str
    path: str
    """Begins with `/`, no slash at the end but for `/` itself; lower case does not matter in matching."""
    kind: Kind
    server: tuple[str, ...] = ()
    """Names of the virtual servers it belongs to; empty: all."""
    authentication: Authentication | None = None
    """None: the virtual server's."""
    smtp_domain: tuple[str, ...] = ()
    """Empty: the virtual server's; duplicates removed, lower case (F11)."""
    match: Match = Match.ACCOUNT
    user_in_path: bool = True
    hash: Hash = Hash.RENDEZVOUS
    tree: str | None = None
    replicas: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    affinity_cookie: str = ""
    affinity_separator: str = "."
    sessions: Sessions = Sessions.LOCAL
    rebalance: Rebalance = Rebalance.WEIGHTED
    rebalance_rate: float = 10
    session_timeout: float = 1800


@dataclass(frozen=True, slots=True)
class BackEnd:
    name: str
    """Lower case."""
    address: str | None = None
    """Default: the server's name."""
    port: int | None = None
    """Default 80."""
    tls: bool = False
    ca_file: Path | None = None
    weight: int = 1
    route: str | None = None
    drain: bool = False


@dataclass(frozen=True, slots=True)
class Failover:
    unavailable: float = 600
    connect_timeout: float = 3
    response_timeout: float = 60
    replay_limit: int = 65536
    probe: str = ""
    probe_interval: float = 10
    referral_status: int = 421
    referral_header: str = "Replica-Servers"


@dataclass(frozen=True, slots=True)
class Store:
    url: str = "memory:"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole file."""

    file: Path
    front_end: FrontEnd
    tls: Tls
    directory: DirectorySettings | None
    """None only where no virtual directory and no authentication needs one."""
    virtual_servers: tuple[VirtualServer, ...]
    virtual_directories: tuple[VirtualDirectory, ...]
    back_ends: tuple[BackEnd, ...]
    failover: Failover
    store: Store
