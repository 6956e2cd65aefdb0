"""A real exfront for tests that talk to it over sockets: started with twistd from an INI text, ended with SIGTERM.

Owns the process, its folder and its log. Knows nothing of what the configuration says, but that `{port}` and the like stand for
ports that the kernel chose.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real.children import Child, ChildFailed, free_port

if TYPE_CHECKING:
    from typing import Self

_REPOSITORY = Path(__file__).parents[2]
_TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"

FORWARD = """\
[front-end]
listen = tcp:{port}:interface=127.0.0.1
trusted_proxies = {trusted}
access_log = access.log

[virtual-server default]
hosts = *
authentication = none

[virtual-directory everything]
path = /
kind = forward
servers = backend1
authentication = none

[back-end backend1]
address = 127.0.0.1
port = {backend}
"""
"""Everything goes to one back-end on 127.0.0.1; wants `backend` (its port) and `trusted` (networks, may be empty)."""

PEOPLE = """\
dn: dc=adatum,dc=com
objectClass: organization
o: Adatum

dn: uid=user1,dc=adatum,dc=com
objectClass: inetOrgPerson
objectClass: inetLocalMailRecipient
uid: user1
mailLocalAddress: user1@adatum.com
mailHost: backend1
userPassword: secret
"""
"""A directory in which user1, whose password is "secret", lives on backend1."""

MAILBOXES = """\
[front-end]
listen = tcp:{port}:interface=127.0.0.1
access_log = access.log

[directory]
url = ldif:people.ldif
schema = laser
base = dc=adatum,dc=com

[virtual-server default]
hosts = *
authentication = basic
smtp_domain = adatum.com

[virtual-directory everything]
path = {path}
kind = mailbox
user_in_path = {user_in_path}

[back-end backend1]
address = 127.0.0.1
port = {backend}
"""
"""Each user's requests go to the home server that the directory names; wants `path`, `user_in_path` and `backend`, and the file
people.ldif."""


class NotServed(Exception):
    """The configuration asks for what this version of exfront does not serve yet; the text is its own word on that."""


class Front:
    """A running exfront. `with Front(ini, backend=…) as front:` and then `front.url`.

    `{port}` in the text is the listener's port; every other keyword argument replaces its own placeholder; names in `ports` are
    given further free ports, which are then attributes of `front.ports`.
    """

    def __init__(
        self, ini: str = FORWARD, *, ports: tuple[str, ...] = (), files: dict[str, str] | None = None, **values: object
    ) -> None:
        """`files` (name → text) are written beside the configuration first."""
        self.port = free_port()
        self.ports = {name: free_port() for name in ports}
        self.url = f"http://localhost:{self.port}"
        self._keep = tempfile.TemporaryDirectory(prefix="exfront-front-", ignore_cleanup_errors=True)
        self.folder = Path(self._keep.name)
        for name, text in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        self.ini = ini.format_map({"trusted": "", **values, **self.ports, "port": self.port, "folder": self.folder})
        (self.folder / "fe.ini").write_text(self.ini, "utf-8")
        command = [
            sys.executable,
            "-c",
            _TWISTD,
            "-n",
            "--pidfile=",
            "exfront",
            "--config",
            str(self.folder / "fe.ini"),
        ]
        path = {"PYTHONPATH": str(_REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
        self.child = Child(command, self.folder, self.port, environment=path)

    def log(self) -> str:
        """What twistd has logged so far."""
        return self.child.log()

    def access_log(self) -> str:
        file = self.folder / "access.log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def start(self) -> Self:
        """Returns when the listener accepts. Raises NotServed, or ChildFailed with the log, otherwise."""
        try:
            self.child.start()
        except ChildFailed as failure:
            if unserved := [line for line in str(failure).splitlines() if "not served by this version" in line]:
                raise NotServed(unserved[0].partition(": ")[2]) from None
            raise
        return self

    def stop(self) -> None:
        """Ends exfront. Raises AssertionError when its log holds a traceback, ChildFailed when it does not end by itself."""
        try:
            status = self.child.stop()
            log = self.child.log()
        finally:
            self._keep.cleanup()
        if "Traceback (most recent call last)" in log or "Unhandled error" in log:
            raise AssertionError(f"exfront's log holds a traceback:\n{log[-8000:]}")
        if status not in (None, 0, -15):
            raise ChildFailed(f"exfront ended with {status}:\n{log[-4000:]}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.stop()
            return
        try:
            self.stop()
        except (AssertionError, ChildFailed) as trouble:
            print(f"besides: {trouble}", file=sys.stderr)
