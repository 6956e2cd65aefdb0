"""What is compared and against which goals. Adding a scenario is adding an entry to `SCENARIOS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from bench import contenders
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


def _plain(site: Site, twistd: str | None) -> Contender:
    return contenders.exfront(site, "plain.ini", twistd)


def _routed(site: Site, twistd: str | None) -> Contender:
    return contenders.exfront(site, "routed.ini", twistd)


_LOGGING = partial(contenders.nginx_plain, log=True)

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
    Scenario(
        name="plain-1k",
        title="Plain forwarding, small heads, 1 kB",
        path="/1k.html",
        browser=False,
        others=(contenders.nginx_plain, _LOGGING),
        front_end=_plain,
        goals=(Goal("nginx", 1.5),),
    ),
    Scenario(
        name="plain-64k",
        title="Plain forwarding, small heads, 64 kB",
        path="/64k.html",
        browser=False,
        others=(contenders.nginx_plain, _LOGGING),
        front_end=_plain,
        goals=(Goal("nginx", 1.4),),
    ),
)
