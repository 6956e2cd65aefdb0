"""`python -m bench logon`: what the first logon of a user costs, who is in no cache yet."""

from __future__ import annotations

from bench import contenders, cpu, people
from bench.load import Load, drive
from bench.processes import Failed, Workshop
from bench.report import Sheet, limits
from bench.rounds import WARM_UP
from bench.site import Site

USERS = 30000
KNOWN = 500
"""Users of the warm-up, and of the comparison with everything cached."""
SECONDS = 5.0
GOAL = 1000.0
SETTING = (
    "Each of some thousands of users once, through the whole front-end: search and bind at slapd, then the forwarded request; CPU time of"
    " the process tree for each request. slapd's own work is beside it."
)


def measure(twistd: str | None) -> Sheet:
    """CPU microseconds of exfront and of slapd for a logon that neither cache knows."""
    with Workshop() as workshop:
        site = Site(workshop, USERS)
        site.start_back_ends()
        slapd = site.start_directory()
        front_end = contenders.exfront(site, "routed.ini", twistd)
        url = f"http://127.0.0.1:{front_end.port}/exchange/"
        known = Load(url, people.write_tokens(workshop.folder / "known", range(KNOWN)))
        fresh = Load(url, people.write_tokens(workshop.folder / "fresh", range(KNOWN, USERS)))
        drive(known, WARM_UP)
        before, directory_before = cpu.seconds(front_end.roots), cpu.seconds([slapd.pid])
        count = drive(fresh, SECONDS)
        spent, directory_spent = cpu.seconds(front_end.roots) - before, cpu.seconds([slapd.pid]) - directory_before
        if count > USERS - KNOWN - 64:
            raise Failed(f"{count} requests for {USERS - KNOWN} users: some were cached")
        drive(known, WARM_UP)
        before = cpu.seconds(front_end.roots)
        repeated = drive(known, SECONDS)
        cached = cpu.seconds(front_end.roots) - before
    lines = [
        (f"exfront, {count} first logons", spent * 1e6 / count, GOAL, "µs"),
        ("exfront, the same cached", cached * 1e6 / repeated, None, "µs"),
        ("slapd, for each first logon", directory_spent * 1e6 / count, None, "µs"),
    ]
    return limits("logon", "A logon that is not cached", SETTING, lines)
