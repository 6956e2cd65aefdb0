"""The status page: one HTML document without scripts, readable in a text browser, light and dark.

Owns words and markup; what it shows is `overview`'s.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;background:#fff;color:#1c1f23}"
    "h1{font-size:1.5rem}a{color:inherit}h2{font-size:1.1rem;margin:2rem 0 .4rem}"
    ".wide{overflow-x:auto}table{border-collapse:collapse}"
    "th,td{text-align:left;padding:.25rem 1.2rem .25rem 0;border-bottom:1px solid #d5d9de;vertical-align:top}"
    "tbody th{font-weight:400;color:#59616b}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#b00020;font-weight:600}"
    "@media(prefers-color-scheme:dark){body{background:#15181c;color:#e6e8eb}th,td{border-color:#3a4048}"
    "tbody th{color:#9aa3ad}.bad{color:#ff8a80}}"
)
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy under which the page works."""

Cell = str | int | float


def status_page(seen: dict[str, Any]) -> bytes:
    """The page that shows this overview."""
    parts = [
        _general(seen),
        _table("Back-ends", ("Server", "State", "Idle connections"), _back_ends(seen["back_ends"])),
        _table(
            "Requests", ("Virtual directory", "Requests", "By status", "Sent", "Received", "Mean time"), _requests(seen)
        ),
        _table("Ports", ("Line", "Address"), ((one["listen"], one["address"]) for one in seen["ports"])),
        _table(
            "Virtual servers",
            ("Name", "Hosts", "Logon", "Virtual directories"),
            (
                (one["name"], " ".join(one["hosts"]), one["authentication"], " ".join(one["virtual_directories"]))
                for one in seen["virtual_servers"]
            ),
        ),
        _table(
            "Virtual directories",
            ("Name", "Path", "Kind", "Servers"),
            ((one["name"], one["path"], one["kind"], " ".join(one["servers"])) for one in seen["virtual_directories"]),
        ),
        _table("Caches", ("Of", "Answers"), seen["caches"].items()),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>exfront: {escape(seen['state'])}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>exfront</h1>\n{''.join(parts)}"
        '<p><a href="metrics">metrics</a> · <a href="status.json">status.json</a></p>\n</main>\n</body>\n</html>\n'
    ).encode()


def _general(seen: dict[str, Any]) -> str:
    directory = seen["directory"]
    state = "none is configured" if directory is None else directory["state"]
    if directory is not None and directory["reason"]:
        state += f": {directory['reason']}"
    reloads = f"{seen['reloads']}" + (", the last one refused: see the log" if seen["last_reload_refused"] else "")
    connections = seen["connections"]
    rows = [
        ("State", seen["state"], seen["state"] != "ready"),
        ("Version", seen["version"], False),
        ("Running", f"{_span(seen['uptime'])}, since {_moment(seen['started'])}", False),
        ("Reloads", reloads, seen["last_reload_refused"]),
        ("Directory", state, bool(directory and directory["reason"])),
        ("Client connections", f"{connections['open']} of {connections['most']} at most", False),
        ("Lost lines of the access log", seen["access_log"]["lost_lines"], seen["access_log"]["lost_lines"] > 0),
    ]
    body = "".join(
        f'<tr><th scope="row">{name}</th><td{" class=bad" if bad else ""}>{escape(str(value))}</td></tr>\n'
        for name, value, bad in rows
    )
    return f'<div class="wide" role="region" aria-label="In general" tabindex="0"><table>\n{body}</table></div>\n'


def _requests(seen: dict[str, Any]) -> Iterable[Sequence[Cell]]:
    for name, one in seen["requests"].items():
        by_status = ", ".join(f"{status}: {count}" for status, count in one["by_status"].items())
        mean = f"{one['mean_seconds'] * 1000:.1f} ms"
        yield name or "(none)", one["total"], by_status, _size(one["sent"]), _size(one["received"]), mean


def _back_ends(servers: Iterable[dict[str, Any]]) -> Iterable[Sequence[Cell]]:
    for one in servers:
        mark = one["unavailable"]
        state = "in use" if not one["drain"] else "draining"
        if mark is not None:
            state = f"unavailable for {_span(mark['for'])}: {mark['reason'].rstrip('.')}; may be tried again in {_span(mark['remaining'])}"
        yield one["name"], state, one["idle"]


def _table(title: str, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    shown = list(rows)
    if not shown:
        return ""
    numbers = [not isinstance(value, str) for value in shown[0]]
    head = "".join(
        f'<th scope="col"{" class=n" * number}>{escape(name)}</th>' for name, number in zip(names, numbers, strict=True)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in shown)
    name = title.lower().replace(" ", "-")
    return (
        f'<h2 id="{name}">{title}</h2>\n<div class="wide" role="region" aria-labelledby="{name}" tabindex="0">'
        f'<table aria-labelledby="{name}">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        bad = ' class="bad"' if value.startswith("unavailable") else ""
        return f"<td{bad}>{escape(value)}</td>"
    return f'<td class="n">{value}</td>'


def _moment(iso: str) -> str:
    """`2026-01-01T00:00:00+00:00` as people write it."""
    return iso.replace("T", " ").replace("+00:00", " UTC")


def _span(seconds: float) -> str:
    """Seconds in words: the two largest units."""
    whole = int(seconds)
    units = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    said = [f"{count} {unit}" for count, unit in units if count]
    return " ".join(said[:2]) or "0 s"


def _size(octets: int) -> str:
    if octets < 1000:
        return f"{octets} B"
    power = min((len(str(octets)) - 1) // 3, 5)
    return f"{octets / 1000**power:.1f} {' kMGTP'[power]}B"
