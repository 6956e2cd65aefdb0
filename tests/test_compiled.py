"""Whether compiled modules are told from others, and old ones from new ones."""

from __future__ import annotations

import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from twisted.trial import unittest

from exfront.compiled import changed, state

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
