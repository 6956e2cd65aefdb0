"""`python -m bench scale`: whether a request costs the same with 10 and with 100,000 cached accounts."""

from __future__ import annotations

from bench import contenders, people
from bench.load import Load, drive
from bench.processes import Failed, Workshop
from bench.report import Sheet, verdict
from bench.rounds import cost
from bench.site import Site

FEW, MANY = 10, 100_000
SECONDS = 5.0
GOAL = 1.2
PATIENCE = 24
"""Times ten seconds in which everybody has to have logged on."""
SETTING = (
    "The users come from the embedded directory. First few are known, then all, and the same few ask again; last, all of them ask in turn,"
    " so that every request finds another account, which the processor's caches do not hold."
)


def measure(twistd: str | None) -> Sheet:
    """CPU microseconds per request with few and with many accounts cached."""
    with Workshop() as workshop:
        site = Site(workshop, MANY)
        site.start_back_ends()
        ldif = people.write_ldif(workshop.folder / "people.ldif", MANY)
        front_end = contenders.exfront(site, "routed.ini", twistd, ldif=ldif)
        url = f"http://127.0.0.1:{front_end.port}/exchange/"
        few = Load(url, people.write_tokens(workshop.folder / "few", range(FEW)))
        everybody = Load(url, site.credentials)
        alone = cost(front_end, few, SECONDS)
        _log_on(everybody)
        crowded = cost(front_end, few, SECONDS)
        in_turn = cost(front_end, everybody, 2 * SECONDS)
    rows = [
        [f"{FEW} cached, they ask", f"{alone:.1f}", "", "", ""],
        [
            f"{MANY:,} cached, {FEW} ask",
            f"{crowded:.1f}",
            f"{crowded / alone:.2f}",
            f"≤ {GOAL}",
            verdict(crowded / alone, GOAL),
        ],
        [
            f"{MANY:,} cached, all ask in turn",
            f"{in_turn:.1f}",
            f"{in_turn / alone:.2f}",
            f"≤ {GOAL}",
            verdict(in_turn / alone, GOAL),
        ],
    ]
    return Sheet("scale", "Many cached accounts", ["accounts", "CPU µs/request", "ratio", "goal", ""], rows, SETTING)


def _log_on(everybody: Load) -> None:
    """Drive until every user has asked: one run, since wrk begins with the first user each time."""
    seconds = 10
    while drive(everybody, seconds) < MANY + 64:
        seconds *= 2
        if seconds > 10 * PATIENCE:
            raise Failed(f"{MANY} users cannot log on within {seconds // 2} s")
