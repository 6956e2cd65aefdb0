"""`python -m bench`: what exfront costs, side by side with others. Exit status 0 when everything ran, whatever the goals say."""

from __future__ import annotations

import argparse
import sys
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from bench import idle, machine, memory, profile, programs, report, scale, uncached
from bench.processes import Failed, Workshop
from bench.rounds import WARM_UP, Table, compare
from bench.scenarios import SCENARIOS
from bench.site import ROOT, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USERS = 500
SETTING = (
    "Every proxy in turn, {rounds} rounds of {seconds:g} s after {warm_up:g} s of warm-up, on the same back-ends (nginx at four addresses),"
    " the same slapd and the same load (wrk, 64 keep-alive connections; for the logons {users} users and a browser's 13 header fields)."
    " Counted is the CPU time, user and system, of the proxy's whole process tree, divided by the requests answered. A ratio is exfront's"
    " figure over the other's of the same round. Shown are the median and, as spread, the least and the greatest. exfront writes its"
    " access log; nginx does where it says so, Apache to /dev/null."
)
USUAL = [scenario.name for scenario in SCENARIOS if not scenario.on_request]
SINGLE = {"memory": memory.measure, "idle": idle.measure, "logon": uncached.measure, "scale": scale.measure}
HELP = {
    "memory": "1 GiB bodies in constant memory",
    "idle": "memory for idle connections",
    "logon": "the cost of a first logon",
    "scale": "cost per request with many cached accounts",
}


def side_by_side(options: argparse.Namespace) -> None:
    """Compare, print, and write the report with its picture."""
    chosen = [scenario for scenario in SCENARIOS if scenario.name in options.scenario]
    setting = SETTING.format(rounds=options.rounds, seconds=options.seconds, warm_up=WARM_UP, users=USERS)
    draw = None if options.without_exfront or options.print_only else _drawing()  # missed before minutes were spent
    tables: list[Table] = []
    with Workshop() as workshop:
        site = Site(workshop, USERS)
        site.start_back_ends()
        site.start_directory()
        for scenario in chosen:
            table = compare(
                site, scenario, options.rounds, options.seconds, not options.without_exfront, options.twistd
            )
            print(report.text(table.sheet(setting)), end="\n\n", flush=True)
            tables.append(table)
    if draw is None:
        return
    report.renew(options.output, [table.sheet(setting) for table in tables], machine.describe())
    if {scenario.name for scenario in chosen} >= set(USUAL):
        draw(tables, options.output)


def _drawing() -> Callable[[Sequence[Table], Path], None]:
    try:
        from bench.plot import draw
    except ImportError:
        raise Failed("the picture needs matplotlib: python -m pip install matplotlib (or --print-only)") from None
    return draw


def run(options: argparse.Namespace) -> None:
    """Do what the command line says."""
    programs.need(("nginx", "apache2", "wrk", "slapd", "slapadd", "openssl"))
    if options.command is None:
        side_by_side(options)
    elif options.command == "profile":
        profile.run(options.twistd, options.seconds, options.native, options.template, options.keep)
    else:
        sheet = SINGLE[options.command](options.twistd)
        print(report.text(sheet), flush=True)
        if not options.print_only:
            report.renew(options.output, [sheet], machine.describe())


def parse(arguments: list[str]) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--twistd", help="another twistd than the one beside this interpreter")
    common.add_argument("--output", type=Path, default=ROOT / "docs", help="folder for the report (default: docs)")
    common.add_argument("--print-only", action="store_true", help="write no report")
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, parents=[common])
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument(
        "--scenario", nargs="+", choices=names, default=USUAL, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="counted time of one proxy in one round")
    parser.add_argument("--without-exfront", action="store_true", help="measure the others alone")
    commands = parser.add_subparsers(dest="command", metavar="memory | idle | logon | scale | profile")
    for name, text in HELP.items():
        commands.add_parser(name, help=text, parents=[common])
    spy = commands.add_parser("profile", help="where the time goes (needs py-spy)", parents=[common])
    spy.add_argument("--seconds", type=int, default=10)
    spy.add_argument("--native", action="store_true", help="with the frames of C code")
    spy.add_argument("--template", choices=["routed.ini", "plain.ini"], default="routed.ini")
    spy.add_argument("--keep", type=Path, help="also keep the samples here, for a flame graph")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        run(options)
    except (Failed, OSError, HTTPException) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
