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
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from tests.real.certificates import Authority
from tests.real.children import Child, ChildFailed, free_port, program
from tests.real.organisation import BASE, SERVICE_DN, SERVICE_PASSWORD, ldif

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMAS = Path("/etc/ldap/schema")
_MODULES = Path("/usr/lib/ldap")

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

    def __init__(
        self, *, names: Sequence[str] = ("localhost", "127.0.0.1"), more_global: str = "", more: str = ""
    ) -> None:
        """`more_global` and `more` are lines of slapd.conf before the database and inside it."""
        self._names, self._more_global, self._more = names, more_global, more
        self._child: Child | None = None
        self.host = "127.0.0.1"
        self.port = self.tls_port = 0

    @staticmethod
    def missing() -> str | None:
        """Why the server cannot run here, or None: fit for a test case's `skip`."""
        if program("slapd") is None or not _SCHEMAS.is_dir():
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
        assert self._child is not None
        return self._child.pid

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
        """Make it hang: the kernel accepts connections and nobody answers, until `resume`. Returns when all threads stand still."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End the server and remove its folder; idempotent."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _add(self) -> None:
        done = subprocess.run(
            [program("slapadd") or "slapadd", "-q", "-f", str(self.folder / "slapd.conf"), "-l", str(self.folder / "data.ldif")],
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"slapadd: {done.stderr.decode()}")

    def _run_on_free_ports(self) -> None:
        """It takes no port 0, so the kernel is asked first; somebody else may be quicker, then others are taken."""
        for last in (False, False, True):
            self.port, self.tls_port = free_port(), free_port()
            try:
                self._run()
            except ChildFailed:
                if last:
                    raise
            else:
                return

    def _run(self) -> None:
        listen = f"ldap://{self.host}:{self.port}/ ldaps://{self.host}:{self.tls_port}/"
        command = [program("slapd") or "slapd", "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", listen]
        self._child = Child(command, self.folder, self.tls_port)
        self._child.start()

    def _end(self, number: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is not None:
            for wanted in (signal.SIGCONT, number):
                os.kill(child.pid, wanted)
            child.stop()
