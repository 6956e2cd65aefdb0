"""What `twistd exfront` and `twist exfront` run: options and configuration in, a tree of services out.

The one place that wires, and the one that touches the global reactor. Knows no rule of HTTP or of the directory.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exfront.wire.loop import install_reactor

install_reactor()  # ldaptor imports the reactor, so exfront's own has to be there before the imports that follow

from twisted.application.service import IService, MultiService
from twisted.python import usage

from exfront import __version__
from exfront.config.reader import load
from exfront.errors import ConfigurationError

if TYPE_CHECKING:
    from exfront.config.settings import Settings


class Options(usage.Options):
    """The command line behind `twistd exfront`."""

    synopsis = "[options]"
    optParameters = [["config", "c", "/etc/exfront/fe.ini", "The configuration file."]]
    optFlags = [["check", None, "Check the configuration: say ok and exit 0, or list every mistake and exit 1."]]

    def opt_version(self) -> NoReturn:
        """Print the version and exit."""
        print(f"exfront {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Make the file's path absolute (twistd may change its folder), and carry out `--check` (C1)."""
        self["config"] = Path(self["config"]).absolute()
        if self["check"]:
            load_or_exit(self["config"])
            print("ok")
            sys.exit(0)


def load_or_exit(path: Path) -> Settings:
    """The settings; or every mistake on standard error, one a line, and exit status 1 (C1)."""
    try:
        return load(path)
    except ConfigurationError as wrong:
        print(*wrong.mistakes, sep="\n", file=sys.stderr)
        sys.exit(1)


def makeService(options: Options) -> IService:
    """The front-end as one service, not started; with a wrong configuration the process ends before anything is opened."""
    from twisted.internet import reactor

    return make_graph(load_or_exit(options["config"]), reactor)


def make_graph(settings: Settings, reactor: object) -> IService:
    """The object graph that serves `settings`, not started."""
    return MultiService()
