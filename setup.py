"""What pyproject.toml cannot say: the heart is compiled by mypyc where that can be done, and where it cannot exfront stays pure Python.

`[tool.exfront]` in pyproject.toml lists the modules. With the environment's EXFRONT_PURE=1 nothing is compiled.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CompileError

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent

BUILDING = {"bdist_wheel", "build", "build_ext", "editable_wheel", "install"}
"""The commands that compile; others only describe the project."""


def heart() -> list[Extension]:
    """The compiled modules; none where there is a reason, which is told."""
    if not BUILDING.intersection(sys.argv):
        return []
    if reason := next(_reasons(), ""):
        print(f"exfront stays pure Python: {reason}", flush=True)
        return []
    from mypyc.build import mypycify

    project = tomllib.loads(HERE.joinpath("pyproject.toml").read_text("utf-8"))
    modules = project["tool"]["exfront"]["compiled"]
    os.chdir(HERE)
    try:
        return mypycify(
            ["--config-file=pyproject.toml", *modules], opt_level="3", debug_level="0", group_name="exfront"
        )
    except SystemExit:
        if "build_ext" in sys.argv:  # asked for in so many words
            raise
        print("exfront stays pure Python: mypyc does not take it, with the packages that are here", flush=True)
        return []


def _reasons() -> Iterator[str]:
    """Why not to compile."""
    if os.environ.get("EXFRONT_PURE"):
        yield "EXFRONT_PURE is set"
    try:
        import mypy_zope  # noqa: F401  a plug-in of mypy's configuration
        import mypyc.build  # noqa: F401
    except ImportError as missing:
        yield f"there is no {missing.name}"
    if not _compiles():
        yield "there is no C compiler, or Python's header files are missing"


def _compiles() -> bool:
    """Whether a C module can be compiled here at all."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("#include <Python.h>\n", "utf-8")
        probe = build_ext(Distribution({"name": "probe", "ext_modules": [Extension("probe", [str(source)])]}))
        probe.build_lib = probe.build_temp = folder
        probe.ensure_finalized()
        probe.extensions[0].export_symbols = []
        try:
            probe.run()
        except (BaseError, CompileError):
            return False
        return True


setup(ext_modules=heart())
