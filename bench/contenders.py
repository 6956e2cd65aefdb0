"""Who is compared: for each a way to start it before the site's back-ends. The configurations are in `templates/`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import programs
from bench.processes import READY, Failed, Running, free_port
from bench.site import ROOT, Site, fill

APACHE_MODULES = "/usr/lib/apache2/modules"


class Contender(NamedTuple):
    """A proxy that runs."""

    name: str
    roots: tuple[int, ...]
    """The processes whose trees are counted."""
    port: int
    tls: bool = False


Start = Callable[[Site], Contender]


def exfront(
    site: Site, template: str = "routed.ini", twistd: str | None = None, tls: bool = False, ldif: Path | None = None
) -> Contender:
    """Exfront under this interpreter's twistd (or another), in one process, with its access log written.

    `ldif` is the embedded directory's file where it is not the site's slapd that is asked; reading it may take minutes.
    """
    port = free_port()
    values = {
        "LISTEN": f"{'tls' if tls else 'tcp'}:{port}:interface=127.0.0.1",
        "DIRECTORY": f"ldif:{ldif}" if ldif else f"ldap://127.0.0.1:{site.directory_port}",
        "BACKEND": site.back_end_port,
        "TLS": f"[tls]\ncertificates = {site.certificate().parent}" if tls else "",
    }
    running = start_twistd(site, f"exfront-{port}", template, port, values, twistd, patience=300 if ldif else READY)
    return Contender("exfront", (running.pid,), port, tls)


def start_twistd(
    site: Site,
    name: str,
    template: str,
    port: int,
    values: dict[str, object],
    twistd: str | None = None,
    patience: float = READY,
) -> Running:
    """`twistd exfront` with the filled template, run from the source tree whether or not exfront is installed."""
    program = twistd or str(Path(sys.executable).with_name("twistd"))
    room = site.workshop.room(name)
    configuration = fill(template, room / "fe.ini", {"ROOM": room, **values})
    command = [program, "-n", "--pidfile=", "exfront", "--config", str(configuration)]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return site.workshop.start(
        name, command, [("127.0.0.1", port)], environment={"PYTHONPATH": path}, patience=patience
    )


def nginx_plain(site: Site, log: bool = False, tls: bool = False) -> Contender:
    """Nginx without any logon, for the first back-end."""
    file = site.certificate() if tls else None
    certificate = f"ssl_certificate {file};\n        ssl_certificate_key {file};" if tls else ""
    values: dict[str, object] = {"TLS": "ssl" if tls else "", "CERTIFICATE": certificate}
    return _nginx(site, "nginx", "nginx-plain.conf", log, values)._replace(tls=tls)


def nginx_auth(site: Site, log: bool = False) -> Contender:
    """Nginx with auth_request, the answers of a daemon cached by proxy_cache. The daemon's CPU counts too: it has nothing to do."""
    daemon_port = free_port()
    daemon = site.workshop.start(
        f"auth-daemon-{daemon_port}",
        [sys.executable, "-m", "bench.auth_daemon", str(daemon_port), str(site.users)],
        [("127.0.0.1", daemon_port)],
        folder=ROOT,
    )
    nginx = _nginx(site, "nginx auth_request", "nginx-auth.conf", log, {"DAEMON": daemon_port})
    return nginx._replace(roots=(*nginx.roots, daemon.pid))


def _nginx(site: Site, name: str, template: str, log: bool, values: dict[str, object]) -> Contender:
    port = free_port()
    room = site.workshop.room(f"nginx-{port}")
    values = {"BACKEND": site.back_end_port, "ACCESS_LOG": room / "access.log" if log else "off", **values}
    running = site.start_nginx(room.name, template, room, port, ("127.0.0.1",), values)
    return Contender(f"{name}, access log" if log else name, (running.pid,), port)


def apache_ldap(site: Site) -> Contender:
    """Apache httpd (event) with mod_authnz_ldap, mod_rewrite and mod_proxy_http; its access log goes to /dev/null."""
    if not Path(APACHE_MODULES, "mod_authnz_ldap.so").exists():
        raise Failed(f"{APACHE_MODULES} has no mod_authnz_ldap.so (Debian package apache2)")
    port = free_port()
    room = site.workshop.room(f"apache-{port}")
    values = {
        "ROOM": room,
        "PORT": port,
        "BACKEND": site.back_end_port,
        "DIRECTORY": site.directory_port,
        "MODULES": APACHE_MODULES,
        "USER": "User www-data\nGroup www-data" if os.geteuid() == 0 else "",
    }
    configuration = fill("apache-ldap.conf", room / "apache.conf", values)
    command = [programs.find("apache2"), "-f", str(configuration), "-DFOREGROUND"]
    running = site.workshop.start(room.name, command, [("127.0.0.1", port)])
    return Contender("Apache mod_authnz_ldap", (running.pid,), port)
