"""What an administrator is shown of the running front-end, as plain values for JSON, HTML and metrics alike.

Owns the choice: names, numbers and states. Never a credential, an account, or anything a client sent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from exfront import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from exfront.config.settings import Settings, VirtualDirectory, VirtualServer
    from exfront.ledger import Tally
    from exfront.service import FrontEndService


class Observed(NamedTuple):
    """What is looked at."""

    service: FrontEndService
    wall: Callable[[], float]
    """Seconds since 1970."""
    started: float
    """When the process was put together, on that clock."""


def overview(observed: Observed) -> dict[str, Any]:
    """Everything the status page says. Times are seconds, sizes bytes."""
    service = observed.service
    settings = service.serving.settings
    front = settings.front_end
    return {
        "version": __version__,
        "state": service.unready or "ready",
        "started": datetime.fromtimestamp(observed.started, UTC).isoformat(timespec="seconds"),
        "uptime": round(max(observed.wall() - observed.started, 0.0), 3),
        "reloads": service.reloads,
        "last_reload_refused": service.refused,
        "ports": [{"listen": line, "address": _address(port)} for line, port in service.ports.items()],
        "connections": {"open": len(service.lasting.factory.connections), "most": front.max_connections},
        "access_log": {"lost_lines": getattr(service.lasting.log_file, "lost", 0)},
        "directory": _directory(service),
        "caches": caches(service),
        "virtual_servers": [_virtual_server(one, settings) for one in settings.virtual_servers],
        "virtual_directories": [_virtual_directory(one) for one in settings.virtual_directories],
        "requests": {name: _requests(tally) for name, tally in sorted(tallies(service).items())},
        "back_ends": back_ends(service),
    }


def tallies(service: FrontEndService) -> dict[str, Tally]:
    """The counters by virtual directory; the empty name has what belongs to none."""
    return service.serving.services.ledger.tallies


def caches(service: FrontEndService) -> dict[str, int]:
    """How many answers each cache keeps."""
    serving = service.serving
    sizes = dict(serving.directory.sizes()) if serving.directory is not None else {}
    if serving.logons is not None:
        sizes["logons"] = len(serving.logons)
    return sizes


def back_ends(service: FrontEndService) -> list[dict[str, Any]]:
    """Each server that is known so far: configured, connected to, or marked; by name."""
    marks = {mark.server: mark for mark in service.serving.services.health.snapshot()}
    idle = service.lasting.pools.snapshot()
    drained = {one.name for one in service.serving.settings.back_ends if one.drain}
    counted = service.serving.settings.failover.unavailable
    found = []
    for name in sorted({*(one.name for one in service.serving.settings.back_ends), *idle, *marks}):
        mark = marks.get(name)
        unavailable = None
        if mark is not None:
            age = round(mark.age, 1)
            unavailable = {"reason": mark.reason, "for": age, "remaining": round(max(counted - mark.age, 0.0), 1)}
        found.append({"name": name, "unavailable": unavailable, "idle": idle.get(name, 0), "drain": name in drained})
    return found


def _directory(service: FrontEndService) -> dict[str, Any] | None:
    directory = service.serving.directory
    if directory is None:
        return None
    reason = directory.outage.reason
    return {"state": "away" if reason else "there", "reason": reason}


def _virtual_server(server: VirtualServer, settings: Settings) -> dict[str, Any]:
    mine = [one.name for one in settings.virtual_directories if not one.server or server.name in one.server]
    return {
        "name": server.name,
        "hosts": list(server.hosts),
        "authentication": server.authentication.value,
        "virtual_directories": mine,
    }


def _virtual_directory(one: VirtualDirectory) -> dict[str, Any]:
    return {"name": one.name, "path": one.path, "kind": one.kind.value, "servers": [*one.servers, *one.replicas]}


def _requests(tally: Tally) -> dict[str, Any]:
    by_status = {status: sum(by_method.values()) for status, by_method in sorted(tally.requests.items())}
    total = sum(by_status.values())
    return {
        "total": total,
        "by_status": by_status,
        "sent": tally.sent,
        "received": tally.received,
        "mean_seconds": round(tally.seconds / total, 6) if total else 0.0,
    }


def _address(port: Any) -> str:
    host = port.getHost()
    name = getattr(host, "host", "")
    return f"[{name}]:{host.port}" if ":" in name else f"{name}:{host.port}"
