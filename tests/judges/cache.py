"""The judges' own virtual environments and sources, from PyPI, kept in the user's cache folder and made when first asked for.

Owns pinned versions (`requirements/*.txt`), the folder (`$XDG_CACHE_HOME/exfront-judges`, default `~/.cache/exfront-judges`) and a
lock, so that two runs at once do not build the same thing. What cannot be had is told as `Unavailable`, in words for a skipped test.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUIREMENTS = Path(__file__).with_name("requirements")
_PATIENCE = 600


class Unavailable(Exception):
    """A judge cannot sit here; the text says why."""


def cache_folder() -> Path:
    """Where everything is kept; made when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "exfront-judges"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment(name: str) -> Path:
    """The virtual environment with what `requirements/NAME.txt` pins: `environment("caldav") / "bin" / "python"`.

    The first call takes up to a minute. Raises Unavailable when it cannot be installed.
    """
    requirements = _REQUIREMENTS / f"{name}.txt"
    folder = cache_folder() / f"{name}-{_fingerprint(requirements)}"
    with built_once(folder) as building:
        if building:
            python = folder / "bin" / "python"
            if name == "autobahn":
                _make_python2(folder)
            else:
                _run(sys.executable, "-m", "venv", str(folder))
            _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements))
    return folder


def source(name: str) -> Path:
    """The unpacked source distribution that `requirements/NAME-source.txt` pins. Raises Unavailable when it cannot be had."""
    requirements = _REQUIREMENTS / f"{name}-source.txt"
    folder = cache_folder() / f"{name}-source-{_fingerprint(requirements)}"
    with built_once(folder) as building:
        if building:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            _run(*pip, "--no-binary", name, "--dest", str(folder), "-r", str(requirements))
            (archive,) = folder.glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                if hasattr(tarfile, "data_filter"):  # Debian 12's Python has none
                    tar.extraction_filter = tarfile.data_filter
                tar.extractall(folder)
    (unpacked,) = (entry for entry in folder.iterdir() if entry.is_dir())
    return unpacked


def python2() -> str:
    """A Python 2.7, which the Autobahn test suite still needs: `$EXFRONT_PYTHON2`, the usual names, or pyenv's.

    Raises Unavailable when there is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    names = [
        os.environ.get("EXFRONT_PYTHON2"),
        "python2.7",
        "pypy2",
        "pypy",
        *sorted(map(str, pyenv.glob("2.7*/bin/python2.7"))),
    ]
    for name in names:
        path = shutil.which(name) if name else None
        if (
            path
            and subprocess.run(
                [path, "-c", "import sys; sys.exit(sys.version_info[0] != 2)"], capture_output=True
            ).returncode
            == 0
        ):
            return path
    raise Unavailable(
        "no Python 2.7 (or PyPy for it), which the Autobahn test suite needs; EXFRONT_PYTHON2 may name one"
    )


def _make_python2(folder: Path) -> None:
    found = python2()
    _run(str(environment("virtualenv") / "bin" / "virtualenv"), "--quiet", "--python", found, str(folder))


@contextlib.contextmanager
def built_once(folder: Path) -> Iterator[bool]:
    """Yields whether the folder has to be filled; whole after a block without an exception, gone after one with."""
    stamp = folder.with_suffix(".complete")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and folder.is_dir():
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield True
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        stamp.touch()


def _fingerprint(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(command[:4])} … took longer than {_PATIENCE} s") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word why"]
        raise Unavailable(f"could not be installed ({' '.join(command[1:4])} …): {last[0]}")
