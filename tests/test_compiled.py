"""Whether compiled modules are told from others, and old ones from new ones."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Generic

from twisted.logger import Logger
from twisted.trial import unittest

from exfront.compiled import PACKAGE, changed, state

SUFFIX = EXTENSION_SUFFIXES[0]


class StateTests(unittest.SynchronousTestCase):
    """A package of two modules, of which one may be compiled."""

    def setUp(self) -> None:
        """Sources from second 100, in a folder where somebody works on them."""
        self.package = Path(self.mktemp()) / "heart"
        self.package.joinpath("inner").mkdir(parents=True)
        self.package.with_name("setup.py").touch()
        self.put("inner/route.py", 100)
        self.put("tap.py", 100)

    def put(self, name: str, seconds: float) -> None:
        """A file that was last changed then."""
        file = self.package / name
        file.touch()
        os.utime(file, (seconds, seconds))

    def compile(self, seconds: float) -> None:
        """As mypyc does it: one file for all modules, and a small one beside each that it may keep from another time."""
        self.put(f"../heart__mypyc{SUFFIX}", seconds)
        self.put(f"inner/route{SUFFIX}", 50)

    def test_pure(self) -> None:
        """Sources alone, and files that another Python compiled."""
        self.put("inner/route.cpython-27-other.so", 200)
        self.assertEqual(state(self.package), "pure")
        self.assertEqual(changed(self.package), [])

    def test_compiled(self) -> None:
        """What was compiled later than its source was changed counts; a module that is not compiled may change."""
        self.compile(200)
        self.put("tap.py", 300)
        self.assertEqual(state(self.package), "compiled")

    def test_stale(self) -> None:
        """A source that was changed later is named."""
        self.compile(200)
        self.put("inner/route.py", 300)
        self.assertEqual(state(self.package), "stale")
        self.assertEqual(changed(self.package), [str(Path("inner", "route.py"))])

    def test_half_removed(self) -> None:
        """A module whose common file is gone is no use."""
        self.put(f"inner/route{SUFFIX}", 200)
        self.assertEqual(state(self.package), "stale")

    def test_installed(self) -> None:
        """Where exfront is installed, the files' times say nothing."""
        self.package.with_name("setup.py").unlink()
        self.compile(50)
        self.assertEqual(state(self.package), "compiled")


class HeartTests(unittest.SynchronousTestCase):
    """What the compiler would get wrong without a word."""

    def setUp(self) -> None:
        """The modules of the list, by name."""
        project = tomllib.loads(PACKAGE.with_name("pyproject.toml").read_text("utf-8"))
        self.names = [one.removesuffix(".py").replace("/", ".") for one in project["tool"]["exfront"]["compiled"]]

    def test_each_can_be_imported_first(self) -> None:
        """No module needs another one that it does not import: compiled, a class that is not there yet is a null pointer."""
        code = "from exfront.wire.loop import install_reactor; install_reactor(); import os, sys, importlib, twisted.web.resource\n"
        code += (
            "for name in sys.argv[1:]:\n    if not (child := os.fork()): importlib.import_module(name); os._exit(0)\n"
        )
        code += "    if os.waitpid(child, 0)[1]: print(name)"
        ended = subprocess.run(
            [sys.executable, "-c", code, *self.names], cwd=PACKAGE.parent, capture_output=True, text=True
        )
        self.assertEqual((ended.stdout, ended.returncode), ("", 0), ended.stderr)

    def test_no_native_class_takes_weak_references(self) -> None:
        """Compiled, a native class with a foreign base frees the weak references to it: Twisted's descendants must not be native."""
        classes = [
            one for name in self.names for one in vars(importlib.import_module(name)).values() if isinstance(one, type)
        ]
        native = [one for one in classes if "__mypyc_attrs__" in vars(one)]
        self.assertEqual(bool(native), state(PACKAGE) == "compiled")
        self.assertEqual([one.__name__ for one in native if one.__weakrefoffset__ and Generic not in one.__mro__], [])

    def test_loggers_say_where_they_are(self) -> None:
        """A compiled module has no frame that a logger could take its name from."""
        for module in map(importlib.import_module, self.names):
            for holder in (
                module,
                *(one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__),
            ):
                log = getattr(holder, "_log", None)
                if isinstance(log, Logger):
                    self.assertTrue(log.namespace.startswith(module.__name__), f"{holder}: {log}")
