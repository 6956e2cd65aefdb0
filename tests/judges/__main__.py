"""Hold the judges' sittings and print what they found: `python -m tests.judges [--list] [NAME …]`.

NAME is a judge's name, or a part of "JUDGE: WAY"; without names everything is held. A line for each sitting, indented lines for what
is wrong, and a closing line. The exit status is 1 when a judge complains.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from typing import TYPE_CHECKING

from tests.judges import autobahn, caldav, corpus, gunicorn, litmus, sessions, slow, varnish
from tests.judges.cache import Unavailable

if TYPE_CHECKING:
    from tests.judges.finding import Sitting

JUDGES = (litmus, caldav, sessions, varnish, corpus, gunicorn, autobahn, slow)


def sittings(names: list[str]) -> list[Sitting]:
    """All of them, or those that one of the names fits."""
    every = [sitting for judge in JUDGES for sitting in judge.SITTINGS]
    return [one for one in every if not names or any(name in f"{one.judge}: {one.way}" for name in names)]


def hold(sitting: Sitting) -> tuple[str, str, list[str]]:
    """The word that is counted ("passed", "failed" or "skipped"), what was found, and what is wrong with it."""
    try:
        if reason := sitting.missing():
            return "skipped", reason, []
        finding = sitting.hold()
    except Unavailable as why:
        return "skipped", str(why), []
    except Exception as broken:  # noqa: BLE001  a broken sitting is one failure; the others are still held
        return "failed", "broken", traceback.format_exception_only(broken)
    wrong = list(sitting.complaints(finding))
    return "failed" if wrong else "passed", str(finding), wrong


def main(arguments: list[str]) -> int:
    """Hold what is asked for; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.judges", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("--list", action="store_true", help="say what there is and hold nothing")
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args(arguments)
    chosen = sittings(asked.names)
    if asked.list:
        print(*(f"{one.judge}: {one.way}" for one in chosen), sep="\n")
        return 0
    words = []
    for one in chosen:
        began = time.monotonic()
        word, found, wrong = hold(one)
        words.append(word)
        print(f"{word:8}{one.judge}: {one.way}: {found} ({time.monotonic() - began:.1f} s)", flush=True)
        for line in wrong:
            print("        " + line.rstrip().replace("\n", "\n        "), flush=True)
    print(f"{words.count('passed')} passed, {words.count('failed')} failed, {words.count('skipped')} skipped")
    return 1 if "failed" in words or not words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
