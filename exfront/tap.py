"""What `twistd exfront` and `twist exfront` run: options and configuration in, a tree of services out.

The one place that wires, and the one that touches the global reactor. Knows no rule of HTTP or of the directory.
"""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exfront.wire.loop import install_reactor

install_reactor()  # ldaptor imports the reactor, so exfront's own has to be there before the imports that follow

from twisted.logger import Logger
from twisted.python import usage

from exfront import __version__
from exfront.admin.status import status_factory
from exfront.backend.health import HealthBoard
from exfront.backend.pools import Pools
from exfront.backend.prober import Prober
from exfront.compiled import PACKAGE, changed, state
from exfront.config.mistakes import Mistake
from exfront.config.reader import load
from exfront.config.roster import Roster
from exfront.config.settings import Kind, Scheme
from exfront.directory.logons import Logons
from exfront.directory.make import make_schema, make_source
from exfront.directory.service import Directory
from exfront.errors import ConfigurationError, DirectoryError, ExfrontError
from exfront.frontend.leaves import ForwardingLeaf, PageLeaf, root_redirect
from exfront.frontend.services import RequestIds, Services, Trusted
from exfront.frontend.site import ClientFactory, FrontSite
from exfront.frontend.tree import Tree, VirtualServerRoot
from exfront.ledger import Ledger, Tally
from exfront.logfile import LogFile
from exfront.policy.rule import make_rule
from exfront.process import FrontEndProcess
from exfront.service import FrontEndService, Lasting, Serving
from exfront.wire.patience import Patience
from exfront.wire.roles import Limits

if TYPE_CHECKING:
    from typing import Any

    from twisted.application.service import IService

    from exfront.config.settings import Settings, VirtualDirectory, VirtualServer
    from exfront.directory.interface import Source


class Options(usage.Options):
    """The command line behind `twistd exfront`."""

    synopsis = "[options]"
    optParameters = [["config", "c", "/etc/exfront/fe.ini", "The configuration file."]]
    optFlags = [["check", None, "Check the configuration: say ok and exit 0, or list every mistake and exit 1."]]

    def opt_version(self) -> NoReturn:
        """Print the version and exit."""
        print(f"exfront {__version__} ({state(PACKAGE)})")
        sys.exit(0)

    def postOptions(self) -> None:
        """Make the file's path absolute (twistd may change its folder), and carry out `--check` (C1)."""
        self["config"] = Path(self["config"]).absolute()
        if self["check"]:
            check_or_exit(self["config"])
            print("ok")
            sys.exit(0)


def load_or_exit(path: Path) -> Settings:
    """The settings; or every mistake on standard error, one a line, and exit status 1 (C1)."""
    try:
        return load(path)
    except ConfigurationError as wrong:
        say_and_exit(wrong)


def check_or_exit(path: Path) -> None:
    """What a start would find wrong is said, without a start (C1)."""
    settings = load_or_exit(path)
    if settings.directory is not None and settings.directory.url[0].scheme is Scheme.LDIF:
        from twisted.internet import reactor

        try:
            make_directory_source(settings, reactor)
        except ConfigurationError as wrong:
            say_and_exit(wrong)


def say_and_exit(wrong: ConfigurationError) -> NoReturn:
    """Every mistake on standard error, one a line, and exit status 1 (C1)."""
    print(*wrong.mistakes, sep="\n", file=sys.stderr)
    sys.exit(1)


def makeService(options: Options) -> IService:
    """The front-end as one service, not started; with a wrong configuration the process ends before anything is opened."""
    from twisted.internet import reactor

    if older := changed(PACKAGE):
        text = "compiled before their sources were changed, so that the older code runs: {older}"
        Logger(namespace="exfront").warn(text, older=", ".join(older))
    path = options["config"]
    settings = load_or_exit(path)
    try:
        front_end = make_service(settings, reactor, path)
        process = FrontEndProcess(front_end, reactor)
        front_end.open()  # now, so that a port that is taken is told at the terminal also where twistd leaves it
    except ConfigurationError as wrong:
        say_and_exit(wrong)
    except ExfrontError as wrong:  # another reactor was asked for
        sys.exit(str(wrong))
    return process


def make_service(settings: Settings, reactor: Any, path: Path) -> FrontEndService:
    """The object graph that serves `settings`, not started; `path` is read again at a reload.

    Raises ConfigurationError for what shows only when things are put together: an embedded directory's file, the access log.
    """
    front = settings.front_end
    log_file = _log_file(settings, reactor)
    health = HealthBoard(reactor, settings.failover.unavailable, Logger(namespace="exfront.health"))
    patience = Patience(reactor)
    failover = settings.failover
    pools = Pools(reactor, patience, failover.connect_timeout, failover.response_timeout)
    next_id = RequestIds(secrets.token_hex(4).encode())
    key = secrets.token_bytes(32)

    tallies: dict[str, Tally] = {}

    def serving(settings: Settings) -> Serving:
        ledger = Ledger(log_file.write, time.time, settings.front_end.log_format)
        ledger.tallies = tallies  # one count for the life of the process
        return _serving(settings, reactor, pools, health, ledger, next_id, key)

    first = serving(settings)
    site = FrontSite(first.tree, first.services)
    factory = ClientFactory(site, first.limits, front.max_connections, reactor, patience)
    prober = Prober(reactor, health, pools, failover.probe, failover.probe_interval)
    lasting = Lasting(site, factory, pools, patience, log_file, prober)
    service = FrontEndService(reactor, first, lasting, lambda: serving(load(path)))
    service.status = status_factory(service, reactor, time.time)
    return service


def _log_file(settings: Settings, reactor: Any) -> LogFile:
    path = settings.front_end.access_log
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        return LogFile(path, reactor, Logger(namespace="exfront.access"))
    except OSError as error:
        text = f"{path} cannot be written: {error.strerror}"
        raise ConfigurationError([Mistake(str(settings.file), 0, "front-end", "access_log", text)]) from None


def _serving(
    settings: Settings, reactor: Any, pools: Pools, health: HealthBoard, ledger: Ledger, next_id: RequestIds, key: bytes
) -> Serving:
    """Everything that is made anew from each reading of the configuration."""
    front = settings.front_end
    roster = Roster(settings.back_ends)
    directory: Directory | None = None
    logons: Logons | None = None
    asked = settings.directory
    if asked is not None:
        source = make_directory_source(settings, reactor)
        directory = Directory(source, make_schema(asked), roster, reactor, asked)
        logons = Logons(directory, source, reactor, key, asked.cache, asked.failed_cache, asked.stale)
    services = Services(
        directory=directory,
        pools=pools,
        health=health,
        ledger=ledger,
        failover=settings.failover,
        now=reactor.seconds,
        next_id=next_id,
        trusts=Trusted(front.trusted_proxies),
    )
    limits = Limits(
        front.header_timeout, front.body_timeout, front.idle_timeout, front.max_head_size, front.max_body_size
    )
    tree = make_tree(settings, services, roster, logons)
    return Serving(settings, tree, services, directory, limits, logons)


def make_directory_source(settings: Settings, reactor: Any) -> Source:
    """The directory's source; raises ConfigurationError where an embedded file cannot be used."""
    assert settings.directory is not None
    try:
        return make_source(settings.directory, reactor)
    except DirectoryError as error:
        raise ConfigurationError([Mistake(str(settings.file), 0, "directory", "url", str(error))]) from None


def make_tree(settings: Settings, services: Services, roster: Roster, logons: Logons | None) -> Tree:
    """The tree of virtual servers and virtual directories."""
    roots = []
    for server in settings.virtual_servers:
        mine = [one for one in settings.virtual_directories if not one.server or server.name in one.server]
        leaves = {}
        scope = logons.scope(server.name, server.default_domain) if logons is not None else None
        for one in mine:
            rule = make_rule(server, one, roster)
            leaves[rule.path] = ForwardingLeaf(rule, services, scope if rule.authenticate else None, server.realm)
        root = _root(server, mine)
        page = PageLeaf("root", root_redirect(root), services) if root else None
        roots.append((server.hosts, VirtualServerRoot(server.name, leaves, page)))
    return Tree(roots)


def _root(server: VirtualServer, mine: list[VirtualDirectory]) -> str:
    """Where "/" leads: as configured, else to the first mailbox directory, else nowhere (F20)."""
    if server.root:
        return server.root
    return next((f"{one.path}/" for one in mine if one.kind is Kind.MAILBOX and one.path != "/"), "")
