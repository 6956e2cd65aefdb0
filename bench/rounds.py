"""How it is compared: the contenders take turns, round after round, each warmed up before it is counted.

A ratio is made of two figures of the same round, minutes apart at most, so that a machine that slows down does not bend it.
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from bench import cpu, people
from bench.contenders import Contender
from bench.load import Load, drive
from bench.processes import Failed
from bench.scenarios import Scenario
from bench.site import Site

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
    name: str
    title: str
    rows: tuple[Row, ...]


def cost(contender: Contender, load: Load, seconds: float) -> float:
    """CPU microseconds per request of the contender's process tree under the load, after a warm-up."""
    drive(load, WARM_UP)
    before = cpu.seconds(contender.roots)
    answered = drive(load, seconds)
    return (cpu.seconds(contender.roots) - before) * 1e6 / answered


def check(contender: Contender, scenario: Scenario) -> None:
    """Make sure that all do the same work: users are sent to their own home servers, with their names in the URL."""
    if scenario.browser:
        for number in range(8):
            found = ask(contender.port, f"{scenario.path}where", people.token(number))
            wanted = f"{people.home(number)} {scenario.path}user{number}/where"
            if found != wanted:
                raise Failed(f"{contender.name} sends user{number} to {found!r} and not to {wanted!r}")
    elif (found := ask(contender.port, "/where")) != f"{people.HOMES[0]} /where":
        raise Failed(f"{contender.name} answers {found!r}")


def ask(port: int, path: str, token: str | None = None) -> str:
    """The body of one answer, which has to be a 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Basic {token}"} if token else {})
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
    except OSError as error:
        raise Failed(f"port {port} {path}: {error}") from None
    finally:
        connection.close()
    if response.status != 200:
        raise Failed(f"port {port} {path}: {response.status} {body[:200]}")
    return body


def compare(
    site: Site, scenario: Scenario, rounds: int, seconds: float, front_end: bool, twistd: str | None = None
) -> Table:
    """Start the scenario's contenders, let them take turns, end them, and say what each request cost."""
    starts = ([lambda site: scenario.front_end(site, twistd)] if front_end else []) + list(scenario.others)
    running = [start(site) for start in starts]
    costs: dict[str, list[float]] = {contender.name: [] for contender in running}
    for contender in running:
        check(contender, scenario)
    for turn in range(rounds):
        for contender in running[turn % len(running) :] + running[: turn % len(running)]:
            load = Load(
                f"http://127.0.0.1:{contender.port}{scenario.path}", site.credentials if scenario.browser else None
            )
            costs[contender.name].append(cost(contender, load, seconds))
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
