"""How it is compared: the contenders take turns, round after round, each warmed up before it is counted.

A ratio is made of two figures of the same round, minutes apart at most, so that a machine that slows down does not bend it.
"""

from __future__ import annotations

import ssl
import sys
import urllib.error
import urllib.request
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench import cpu, people
from bench.load import Load, Stalled, drive
from bench.processes import Failed
from bench.report import Sheet, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contenders import Contender
    from bench.scenarios import Scenario
    from bench.site import Site

HEADER = ("proxy", "CPU µs/request", "spread", "exfront / it", "spread", "goal", "")
WARM_UP = 1.0
"""Seconds of load before each count: caches filled, connections open, the processor awake."""


class Spread(NamedTuple):
    """A figure of several rounds."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


class Row(NamedTuple):
    """One contender's figures: CPU microseconds per request, and the front-end's as a multiple of them."""

    name: str
    cost: Spread
    ratio: Spread | None
    """None for the front-end itself, and where it was left out."""
    goal: float | None
    """The ratio is to be at most this."""


class Table(NamedTuple):
    """One scenario's figures, the front-end first."""

    name: str
    title: str
    rows: tuple[Row, ...]

    def sheet(self, setting: str) -> Sheet:
        """The figures in words, with a verdict for each goal."""
        return Sheet(self.name, self.title, list(HEADER), [_cells(row) for row in self.rows], setting)


def cost(contender: Contender, load: Load, seconds: float) -> float:
    """CPU microseconds per request of the contender's process tree under the load, after a warm-up."""
    drive(load, WARM_UP)
    before = cpu.seconds(contender.roots)
    answered = drive(load, seconds)
    return (cpu.seconds(contender.roots) - before) * 1e6 / answered


def _cost_again(contender: Contender, load: Load, seconds: float) -> float:
    """`cost`, once more after a stall, which a busy machine can be guilty of too; it is said who stalled."""
    try:
        try:
            return cost(contender, load, seconds)
        except Stalled as stall:
            print(f"{contender.name}, once more: {stall}", file=sys.stderr)
            return cost(contender, load, seconds)
    except Failed as failure:
        raise Failed(f"{contender.name}: {failure}") from None


def address(contender: Contender, path: str) -> str:
    """The URL of a path at the contender."""
    return f"{'https' if contender.tls else 'http'}://127.0.0.1:{contender.port}{path}"


def check(contender: Contender, scenario: Scenario) -> None:
    """Make sure that all do the same work: users are sent to their own home servers, with their names in the URL."""
    if scenario.browser:
        for number in range(8):
            found = ask(address(contender, f"{scenario.path}?where"), people.token(number))
            wanted = f"{people.home(number)} {scenario.path}user{number}/?where"
            if found != wanted:
                raise Failed(f"{contender.name} sends user{number} to {found!r} and not to {wanted!r}")
    elif (found := ask(address(contender, f"{scenario.path}?where"))) != f"{people.HOMES[0]} {scenario.path}?where":
        raise Failed(f"{contender.name} answers {found!r}")


def ask(url: str, token: str | None = None) -> str:
    """The body of one answer, which has to be a 200. Certificates are not verified."""
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {token}"} if token else {})
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusting) as response:
            return str(response.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        raise Failed(f"{url}: {error.code} {error.read(200)!r}") from None
    except OSError as error:
        raise Failed(f"{url}: {error}") from None


def compare(
    site: Site, scenario: Scenario, rounds: int, seconds: float, front_end: bool, twistd: str | None = None
) -> Table:
    """Start the scenario's contenders, let them take turns, end them, and say what each request cost."""
    running = [scenario.front_end(site, twistd)] if front_end else []
    running += [start(site) for start in scenario.others]
    costs: dict[str, list[float]] = {contender.name: [] for contender in running}
    for contender in running:
        check(contender, scenario)
    for turn in range(rounds):
        for contender in running[turn % len(running) :] + running[: turn % len(running)]:
            load = Load(address(contender, scenario.path), site.credentials if scenario.browser else None)
            costs[contender.name].append(_cost_again(contender, load, seconds))
            site.workshop.check_alive()
    site.workshop.stop([pid for contender in running for pid in contender.roots])
    return _table(scenario, costs, front_end)


def _table(scenario: Scenario, costs: dict[str, list[float]], front_end: bool) -> Table:
    own = next(iter(costs)) if front_end else None
    goals = {goal.reference: goal.factor for goal in scenario.goals}
    rows = []
    for name, figures in costs.items():
        ratio = (
            Spread.of([ours / theirs for ours, theirs in zip(costs[own], figures, strict=True)])
            if own and name != own
            else None
        )
        rows.append(Row(name, Spread.of(figures), ratio, goals.get(name)))
    return Table(scenario.name, scenario.title, tuple(rows))


def _cells(row: Row) -> list[str]:
    ratio = [f"{row.ratio.middle:.2f}", _span(row.ratio, 2)] if row.ratio else ["", ""]
    judged = [f"≤ {row.goal:.2f}", verdict(row.ratio.middle, row.goal)] if row.goal and row.ratio else ["", ""]
    return [row.name, f"{row.cost.middle:.1f}", _span(row.cost, 1), *ratio, *judged]


def _span(spread: Spread, digits: int) -> str:
    return f"{spread.least:.{digits}f}–{spread.most:.{digits}f}"
