"""`python -m bench`: what a request costs, side by side. Exit status 0 when everything ran, whatever the goals say."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import machine, programs, report
from bench.processes import Failed, Workshop
from bench.rounds import WARM_UP, compare
from bench.scenarios import SCENARIOS
from bench.site import ROOT, Site

USERS = 500
SETTING = (
    "Every proxy in turn, {rounds} rounds of {seconds:g} s after {warm_up:g} s of warm-up, on the same back-ends (nginx at four addresses), the same"
    " slapd and the same load (wrk, 64 keep-alive connections, {users} users, a browser's 13 header fields; plain forwarding: small heads)."
    " Counted is the CPU time, user and system, of the proxy's whole process tree, divided by the requests answered. A ratio is exfront's figure over"
    " the other's of the same round. Shown are the median and, as spread, the least and the greatest. exfront writes its access log;"
    " nginx and Apache do where it says so."
)


def side_by_side(options: argparse.Namespace) -> None:
    """Compare, print, and write the report."""
    programs.need(("nginx", "apache2", "wrk", "slapd", "slapadd"))
    chosen = [scenario for scenario in SCENARIOS if not options.scenario or scenario.name in options.scenario]
    tables = []
    with Workshop() as workshop:
        site = Site(workshop, USERS)
        site.start_back_ends()
        site.start_directory()
        for scenario in chosen:
            table = compare(
                site, scenario, options.rounds, options.seconds, not options.without_exfront, options.twistd
            )
            print(report.text(table), end="\n\n", flush=True)
            tables.append(table)
    if options.output:
        from bench import plot

        options.output.mkdir(parents=True, exist_ok=True)
        setting = SETTING.format(rounds=options.rounds, seconds=options.seconds, warm_up=WARM_UP, users=USERS)
        (options.output / "bench.md").write_text(report.markdown(tables, machine.describe(), setting))
        plot.draw(tables, options.output)


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--scenario",
        action="append",
        choices=[scenario.name for scenario in SCENARIOS],
        help="only this one; repeatable",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="counted time of one contender in one round")
    parser.add_argument(
        "--output",
        type=Path,
        default=None,
        help=f"folder for bench.md, bench.png and bench.svg (make bench: {ROOT.name}/docs)",
    )
    parser.add_argument("--without-exfront", action="store_true", help="measure the others alone")
    parser.add_argument("--twistd", help="another twistd than the one beside this interpreter")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    try:
        side_by_side(options(arguments))
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
