"""Radicale, a CalDAV and CardDAV server, as a back-end: private storage, one user with Basic authentication.

Runs from a virtual environment of its own (see `tests.judges.cache`), because what it needs is none of exfront's business.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.judges.cache import environment
from tests.real.children import Child, free_port

if TYPE_CHECKING:
    from typing import Self

_CONFIGURATION = """\
[server]
hosts = 127.0.0.1:{port}
max_connections = 100

[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0

[storage]
filesystem_folder = {folder}/collections

[logging]
level = warning
"""


class Radicale:
    """A running Radicale on 127.0.0.1; `user` has the password `password`."""

    user = "user1"
    password = "secret"

    def __init__(self) -> None:
        """Raises tests.judges.cache.Unavailable where Radicale can neither be found nor installed."""
        python = environment("radicale") / "bin" / "python"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self._keep = tempfile.TemporaryDirectory(prefix="exfront-radicale-", ignore_cleanup_errors=True)
        self.folder = Path(self._keep.name)
        (self.folder / "users").write_text(f"{self.user}:{self.password}\n")
        (self.folder / "radicale.ini").write_text(_CONFIGURATION.format(port=self.port, folder=self.folder))
        command = [str(python), "-m", "radicale", "--config", str(self.folder / "radicale.ini")]
        self.child = Child(command, self.folder, self.port)

    def start(self) -> Self:
        self.child.start()
        return self

    def stop(self) -> None:
        try:
            self.child.stop()
        finally:
            self._keep.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
