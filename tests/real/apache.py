"""Apache's WebDAV server (mod_dav with a lock database) on a private configuration, as a back-end for DAV clients."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real.children import Child, free_port, program

if TYPE_CHECKING:
    from typing import Self

_MODULES = Path("/usr/lib/apache2/modules")
_CONFIGURATION = """\
ServerName localhost
ServerRoot {folder}
PidFile {folder}/apache.pid
Mutex file:{folder} default
ErrorLog /dev/stderr
LogLevel warn
Listen 127.0.0.1:{port}
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dav_module {modules}/mod_dav.so
LoadModule dav_fs_module {modules}/mod_dav_fs.so
LoadModule dav_lock_module {modules}/mod_dav_lock.so
StartServers 1
ThreadsPerChild 25
ServerLimit 20
MaxRequestWorkers {workers}
DocumentRoot {folder}/files
DavLockDB {folder}/locks/database
AllowEncodedSlashes NoDecode
<Directory {folder}/files>
    Dav On
    Require all granted
    AllowOverride None
</Directory>
"""


def missing() -> str | None:
    """Why there is no Apache here; None where there is one."""
    if program("apache2") is None:
        return "Apache is not installed (Debian package apache2)"
    if not (_MODULES / "mod_dav_fs.so").exists():
        return f"Apache has no mod_dav in {_MODULES}"
    return None


class Apache:
    """A running mod_dav on 127.0.0.1. `files` is the folder it serves."""

    def __init__(self, workers: int = 100) -> None:
        """`workers`: how many requests it answers at once; a multiple of 25."""
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self._keep = tempfile.TemporaryDirectory(prefix="exfront-apache-", ignore_cleanup_errors=True)
        self.folder = Path(self._keep.name)
        self.files = self.folder / "files"
        self.files.mkdir()
        (self.folder / "locks").mkdir()
        user = ""
        if os.geteuid() == 0:  # Apache's workers refuse to stay root
            user = "User www-data\nGroup www-data"
            for folder in (self.folder, self.files, self.folder / "locks"):
                shutil.chown(folder, "www-data", "www-data")
        text = _CONFIGURATION.format(folder=self.folder, port=self.port, user=user, modules=_MODULES, workers=workers)
        (self.folder / "apache.conf").write_text(text)
        apache = program("apache2") or "apache2"
        self.child = Child([apache, "-D", "FOREGROUND", "-f", str(self.folder / "apache.conf")], self.folder, self.port)

    def add_folder(self, path: str) -> Path:
        """A new folder among the served files; those above it are made as well."""
        folder = self.files
        for part in Path(path).parts:
            folder /= part
            folder.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(folder, "www-data", "www-data")
        return folder

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
