"""Names and addresses: hosts, domains, networks, listening addresses, paths of virtual directories.

Owns their syntax in the configuration. Resolves nothing and connects to nothing.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

import idna

from exfront.config.forms import Form, Unfit

if TYPE_CHECKING:
    from pathlib import Path

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_VDIR_PATH = re.compile(r"/|(/[^/]+)+/?")

_LISTENING = (
    "tcp:PORT",
    "tcp:PORT:interface=ADDRESS",
    "haproxy:tcp:PORT",
    "tls:PORT",
    "systemd:domain=INET:index=NUMBER",
)


def host_name(text: str) -> str:
    """A DNS name in lower case, as it travels: names beyond ASCII in their IDNA form (RFC 5891). Raises ValueError."""
    name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode()
    if not _HOST_NAME.fullmatch(name) or len(name) > 253:
        raise ValueError
    return name


def address(text: str) -> str:
    """A host name, or an IP address without brackets (`[::1]` is accepted). Raises ValueError."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare or bare.replace(".", "").isdigit() or bare is not text:
        return str(ip_address(bare))
    return host_name(bare)


def port_of(text: str, lowest: int = 1) -> int:
    """A TCP port. Raises ValueError."""
    if not re.fullmatch("[0-9]{1,5}", text) or not lowest <= int(text) <= 65535:
        raise Unfit(f"a port is a number from {lowest} to 65535")
    return int(text)


def with_port(text: str, default: int) -> tuple[str, int]:
    """`HOST`, `HOST:PORT` or `[IPV6]:PORT` in two. Raises ValueError."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]+)(?::([^:]*))?", text)
    if not match:
        raise ValueError
    return address(match[1]), default if match[2] is None else port_of(match[2])


def host() -> Form:
    """Where a server is."""
    return Form(lambda text, _: address(text), "a host name or an IP address")


def host_pattern() -> Form:
    """What a virtual server's `Host` may be, in lower case."""

    def parse(text: str, _: Path) -> str:
        if text == "*":
            return text
        wild = "*." if text.startswith("*.") else ""
        name = text.removeprefix(wild)
        return wild + (host_name(name) if wild else address(name))

    return Form(parse, "a host name without port, *.DOMAIN or *")


def domain() -> Form:
    """A mail domain, in lower case."""

    def parse(text: str, _: Path) -> str:
        if "@" in text:
            raise Unfit("a domain is what stands behind the @")
        return host_name(text)

    return Form(parse, "a mail domain")


def network() -> Form:
    """An address or a CIDR block."""

    def parse(text: str, _: Path) -> IPv4Network | IPv6Network:
        try:
            return ip_network(text)
        except ValueError:
            wider = ip_network(text, strict=False)  # raises again where it is no network at all
            raise Unfit(f"the network of that address is {wider}") from None

    return Form(parse, "an IP address or a network such as 10.0.0.0/8")


def resolver() -> Form:
    """A DNS server: `ADDRESS[:PORT]` as one text."""

    def parse(text: str, _: Path) -> str:
        bare = text if text.startswith("[") or text.count(":") < 2 else f"[{text}]"
        where, port = with_port(bare, 53)
        ip_address(where)
        return f"[{where}]:{port}" if ":" in where else f"{where}:{port}"

    return Form(parse, "ADDRESS or ADDRESS:PORT")


class Listening(NamedTuple):
    """A listening address in pieces."""

    kind: str
    """`tcp`, `tls` or `systemd`."""
    proxied: bool
    """Whether connections begin with a PROXY header."""
    port: int
    """0 lets the kernel choose; for systemd the socket's index."""
    interface: str
    """An IP address; empty for all."""
    normal: str
    """The whole as Twisted writes endpoints."""


def listening(text: str) -> Listening:
    r"""The pieces of `[haproxy:](tcp|tls):PORT[:interface=ADDRESS]`, `tcp:ADDRESS:PORT` or `systemd:domain=INET:index=N`.

    Colons in an IPv6 address are written `\:` (Twisted's way) or the address is put in brackets. Raises ValueError.
    """
    proxied = text.startswith("haproxy:")
    kind, _, rest = text.removeprefix("haproxy:").partition(":")
    before = "haproxy:" if proxied else ""
    if kind == "systemd":
        match = re.fullmatch(r"domain=(INET6?):index=([0-9]{1,4})", rest)
        if not match:
            raise Unfit("systemd: is followed by domain=INET:index=NUMBER")
        return Listening(kind, proxied, int(match[2]), "", f"{before}systemd:domain={match[1]}:index={int(match[2])}")
    if kind not in ("tcp", "tls") or (proxied and kind == "tls"):
        raise ValueError
    port, interface = _port_and_interface(rest)
    where = ":interface=" + interface.replace(":", "\\:") if interface else ""
    return Listening(kind, proxied, port, interface, f"{before}{kind}:{port}{where}")


def _port_and_interface(rest: str) -> tuple[int, str]:
    turned = re.fullmatch(r"(\[[^\]]+\]|[0-9]+\.[0-9.]+):([0-9]*)", rest)
    if turned:
        interface, port = turned[1], turned[2]
    else:
        port, wanted, interface = rest.partition(":interface=")
        if wanted and not interface:
            raise ValueError
    bare = interface.replace("\\:", ":").removeprefix("[").removesuffix("]")
    try:
        return port_of(port, 0), str(ip_address(bare)) if bare else ""
    except Unfit:
        raise
    except ValueError:
        raise Unfit("the interface is not an IP address") from None


def listening_address() -> Form:
    """A listening address as Twisted writes it."""
    return Form(lambda text, _: listening(text).normal, ", ".join(_LISTENING), choices=_LISTENING)


def status_address() -> Form:
    """Where the status page listens."""

    def parse(text: str, _: Path) -> str:
        found = listening(text)
        if found.kind != "tcp" or found.proxied:
            raise ValueError
        return found.normal

    return Form(parse, "tcp:PORT:interface=ADDRESS, tcp:ADDRESS:PORT or tcp:PORT")


def control_address() -> Form:
    """Where the control socket is."""

    def parse(text: str, folder: Path) -> str:
        kind, _, file = text.partition(":")
        if kind != "unix" or not file:
            raise ValueError
        return f"unix:{folder / file}"

    return Form(parse, "unix:PATH")


def virtual_path() -> Form:
    """A virtual directory's path, without the slash at its end."""

    def parse(text: str, _: Path) -> str:
        if not re.fullmatch(r"[!-~]+", text) or re.search(r"[%?#\\]", text):
            raise Unfit("it is written as it is seen: no spaces, escapes, query or backslash")
        if not _VDIR_PATH.fullmatch(text):
            raise ValueError
        if {".", ".."} & set(text.split("/")):
            raise Unfit("it has dot segments")
        return text.rstrip("/") or "/"

    return Form(parse, "a path that begins with / such as /exchange")
