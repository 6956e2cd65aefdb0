"""A private OpenLDAP server for tests: its own folder, ports, certificates and data.

    slapd = Slapd()
    slapd.start(users=100)
    self.addCleanup(slapd.stop)

Tests that need it say `skip = Slapd.missing()`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from tests.real.certificates import Authority
from tests.real.organisation import BASE, SERVICE_DN, SERVICE_PASSWORD, ldif

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMAS = Path("/etc/ldap/schema")
_MODULES = Path("/usr/lib/ldap")
_PATIENCE = 20.0

_CONFIGURATION = """\
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
include {schemas}/misc.schema
include {own}/directory.schema
pidfile {folder}/slapd.pid
modulepath {modules}
moduleload back_mdb
moduleload ppolicy
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
sizelimit size.soft=500 size.hard=unlimited
{more_global}
database mdb
suffix "{base}"
rootdn "{admin_dn}"
rootpw {admin_password}
directory {folder}/data
maxsize 1073741824
dbnosync
index objectClass,uid,mail,mailLocalAddress,sAMAccountName,userPrincipalName,proxyAddresses,msExchOwningPFTree eq
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{base}"
ppolicy_use_lockout
access to attrs=userPassword by self write by anonymous auth by * none
access to * by * read
{more}
"""


class Slapd:
    """One server, reached at `url` (plain and StartTLS) and `tls_url`; certificates are for `names`."""

    base = BASE
    admin_dn = f"cn=admin,{BASE}"
    admin_password = "admin secret"
    service_dn = SERVICE_DN
    service_password = SERVICE_PASSWORD

    def __init__(self, *, names: Sequence[str] = ("localhost", "127.0.0.1"), more_global: str = "", more: str = "") -> None:
        """`more_global` and `more` are lines of slapd.conf before the database and inside it."""
        self._names, self._more_global, self._more = names, more_global, more
        self._process: subprocess.Popen[bytes] | None = None
        self.host = "127.0.0.1"
        self.port = self.tls_port = 0

    @staticmethod
    def missing() -> str | None:
        """Why the server cannot run here, or None: fit for a test case's `skip`."""
        if _program("slapd") is None or not _SCHEMAS.is_dir():
            return "slapd is not installed (Debian package slapd)"
        return None

    @property
    def url(self) -> str:
        return f"ldap://{self.host}:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://{self.host}:{self.tls_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, users: int = 100) -> None:
        """Make the folder, the data and the certificates, and run; returns when the server listens."""
        self.folder = Path(mkdtemp(prefix="exfront-slapd-"))
        try:
            authority = Authority(self.folder)
            self.ca_file = authority.ca_file
            certificate, key = authority.issue(self._names)
            (self.folder / "data").mkdir()
            (self.folder / "slapd.conf").write_text(
                _CONFIGURATION.format(
                    schemas=_SCHEMAS, modules=_MODULES, own=Path(__file__).parent, folder=self.folder, ca=self.ca_file,
                    certificate=certificate, key=key, base=BASE, admin_dn=self.admin_dn, admin_password=f'"{self.admin_password}"',
                    more_global=self._more_global, more=self._more,
                )
            )  # fmt: skip
            (self.folder / "data.ldif").write_text(ldif(users))
            self._add()
            self._run_on_free_ports()
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """Run again with the same data and ports, after `kill` or `terminate` or instead of them."""
        self.terminate()
        self._run()

    def terminate(self) -> None:
        """End the server in an orderly way; its data stay for `restart`."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash would; its data stay for `restart`."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Make it hang: it accepts connections and answers nothing, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End the server and remove its folder; idempotent."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _add(self) -> None:
        program = _program("slapadd")
        assert program is not None
        done = subprocess.run(
            [program, "-q", "-f", str(self.folder / "slapd.conf"), "-l", str(self.folder / "data.ldif")],
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"slapadd: {done.stderr.decode()}")

    def _run_on_free_ports(self) -> None:
        """slapd takes no port 0, so the kernel is asked first; somebody else may be quicker, then others are taken."""
        for last in (False, False, True):
            self.port, self.tls_port = _free_ports(2)
            try:
                self._run()
            except RuntimeError:
                if last:
                    raise
            else:
                return

    def _run(self) -> None:
        program = _program("slapd")
        assert program is not None
        listen = f"ldap://{self.host}:{self.port}/ ldaps://{self.host}:{self.tls_port}/"
        with (self.folder / "slapd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", listen], stdout=log, stderr=log
            )
        end = time.monotonic() + _PATIENCE
        while not _listens(self.host, self.tls_port):
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"slapd does not run: {(self.folder / 'slapd.log').read_text()}")
            time.sleep(0.01)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(_PATIENCE)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/openldap")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
