"""What is compared and against which goals. Adding a scenario is adding an entry to `SCENARIOS`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bench import contenders

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.contenders import Contender, Start
    from bench.site import Site


class Goal(NamedTuple):
    """The first contender's CPU per request is to be at most `factor` times that of `reference`."""

    reference: str
    factor: float


class Scenario(NamedTuple):
    name: str
    title: str
    path: str
    browser: bool
    """Whether the load is a browser's head with the credentials of all users in turn (else wrk's small head)."""
    others: tuple[Start, ...]
    front_end: Callable[[Site, str | None], Contender]
    """Starts exfront; takes the site and which twistd."""
    goals: tuple[Goal, ...]
    on_request: bool = False
    """Whether it runs only when it is named."""


def _plain(site: Site, twistd: str | None) -> Contender:
    return contenders.exfront(site, "plain.ini", twistd)


def _plain_tls(site: Site, twistd: str | None) -> Contender:
    return contenders.exfront(site, "plain.ini", twistd, tls=True)


def _routed(site: Site, twistd: str | None) -> Contender:
    return contenders.exfront(site, "routed.ini", twistd)


def _forwarding(name: str, title: str, path: str, factor: float, tls: bool = False) -> Scenario:
    nginx = partial(contenders.nginx_plain, tls=tls)
    others: tuple[Start, ...] = (nginx,) if tls else (nginx, partial(nginx, log=True))
    front_end = _plain_tls if tls else _plain
    return Scenario(name, title, path, False, others, front_end, (Goal("nginx", factor),), on_request=tls)


SCENARIOS = (
    Scenario(
        name="routed",
        title="Basic logon against LDAP, home server from the directory, user name into the URL, 1 kB",
        path="/exchange/",
        browser=True,
        others=(contenders.nginx_auth, partial(contenders.nginx_auth, log=True), contenders.apache_ldap),
        front_end=_routed,
        goals=(Goal("nginx auth_request", 1.25), Goal("Apache mod_authnz_ldap", 0.33)),
    ),
    _forwarding("plain-1k", "Plain forwarding, small heads, 1 kB", "/1k.html", 1.5),
    _forwarding("plain-64k", "Plain forwarding, small heads, 64 kB", "/64k.html", 1.4),
    _forwarding("tls-1k", "Plain forwarding, clients by TLS, 1 kB", "/1k.html", 1.5, tls=True),
    _forwarding("tls-64k", "Plain forwarding, clients by TLS, 64 kB", "/64k.html", 1.1, tls=True),
)
