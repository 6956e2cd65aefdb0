"""From a `listen` line to an endpoint (F4): `tcp:80`, `tcp:8080:interface=127.0.0.1`, `haproxy:tcp:80`, `systemd:domain=INET:index=0`.

The strings are Twisted's endpoint descriptions; the endpoints are ours, on uvloop's transports.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exfront.wire.endpoints import InheritedServerEndpoint, NativeServerEndpoint
from exfront.wire.proxyprotocol import ProxyEndpoint

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint

FIRST_INHERITED = 3
"""The descriptor of the first socket that systemd hands over (sd_listen_fds(3))."""

_SEPARATOR = re.compile(r"(?<!\\):")


def server_endpoint(reactor: IReactorTime, description: str) -> IStreamServerEndpoint:
    """The endpoint that `description` names. Raises ValueError for one that cannot be understood."""
    kind, _, rest = description.partition(":")
    if kind == "haproxy":
        # every connection begins with a PROXY protocol header (version 1 or 2) that names the client
        return ProxyEndpoint(server_endpoint(reactor, rest), reactor)
    words = [word.replace("\\:", ":") for word in _SEPARATOR.split(rest)]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    plain = [word for word in words if "=" not in word]
    if kind == "tcp":
        port = options.get("port") or (plain[0] if plain else "")
        return NativeServerEndpoint(reactor, int(port), options.get("interface", ""))
    if kind == "systemd":
        return InheritedServerEndpoint(reactor, FIRST_INHERITED + int(options.get("index", "0")))
    raise ValueError(f"no such kind of endpoint: {kind}")
