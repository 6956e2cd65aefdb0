"""Read gunicorn's request corpus with exfront's parsers: `python -m tests.real.gunicorn_corpus SDIST`.

SDIST is the unpacked source distribution of gunicorn 27.0.1 (`pip download --no-binary :all: --no-deps gunicorn==27.0.1`), whose
`tests/requests/{valid,invalid}` hold requests and what they are. Everything is read in this process: each exception has a name and
a reason in `ON_PURPOSE`, and one without is a mistake.

The files are text whose own line ends mean nothing and where backslash escapes stand for bytes. Left out are the cases that come with
settings of gunicorn's own (other limits, obs-fold permitted, PROXY protocol ...): that leaves 53 invalid and 47 valid ones. Most of
both are HTTP/1.1 without Host, which gunicorn does not look at and RFC 9112 3.2 wants refused; these are given a Host, so that each
is judged for what it is about. `--as-is` leaves them alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple

from exfront.errors import MessageError
from tests.wire.reading import Reading, bytewise, read_requests

ON_PURPOSE = {
    "invalid/003c": "`-bl` is a token, so it is a method (RFC 9110 9.1); gunicorn itself accepts `-BLARGH` in valid/031",
    "invalid/006": "a limit of gunicorn's: a target of 4 kB fits into max_head_size",
    "invalid/007": "a limit of gunicorn's: a field line of 8 kB fits into max_head_size",
    "invalid/008": "a limit of gunicorn's: a field line of 8 kB fits into max_head_size",
    "invalid/009": "a limit of gunicorn's: 100 field lines; exfront takes 200",
    "invalid/rfc9112_leading_crlf_02": "up to four empty lines are skipped (RFC 9112 2.2: at least one)",
    "invalid/rfc9112_target_non_ascii_01": "DAV clients send raw bytes in targets",
    "invalid/rfc9112_target_non_ascii_02": "DAV clients send raw bytes in targets",
    "valid/005": "a fragment is no part of a request target (RFC 9112 3.2)",
    "valid/025": "a transfer coding besides chunked: 501 (RFC 9112 6.1)",
    "valid/025_line": "a transfer coding besides chunked: 501 (RFC 9112 6.1)",
    "valid/040": "`Transfer_Encoding` is a framing field to a CGI gateway",
    "valid/099": "its body is shorter than its Content-Length",
    "valid/rfc9112_smuggle_gzip_chunked_01": "a transfer coding besides chunked: 501 (RFC 9112 6.1)",
    "valid/rfc9112_smuggle_te_identity_chunked_01": "`identity` is no transfer coding any more (RFC 9112 7): 501",
    "valid/rfc9112_target_absolute_userinfo_01": "userinfo is an error in an http URI (RFC 9110 4.2.4)",
    "valid/rfc9112_target_authority_connect_01": "CONNECT is not offered: 501",
    "valid/rfc9112_target_authority_ipv6_01": "CONNECT is not offered: 501",
}
"""The cases judged otherwise than by gunicorn, and why."""


class Case(NamedTuple):
    """One file of the corpus."""

    name: str
    raw: bytes
    expected: list[dict[str, object]]
    """What gunicorn reads, a dictionary a request; empty for an invalid case."""


def load(sdist: Path, kind: str, *, as_is: bool = False) -> list[Case]:
    """The cases of `kind` (`valid` or `invalid`) that need no settings of gunicorn's own."""
    cases = []
    for path in sorted((sdist / "tests" / "requests" / kind).glob("*.http")):
        outcome = path.with_suffix(".py").read_text("utf-8")
        if "Config()" in outcome or "cfg.set(" in outcome:
            continue
        expected = _expected(outcome) if kind == "valid" else []
        raw = _bytes_of(path.read_bytes())
        cases.append(Case(path.stem, raw if as_is else _with_hosts(raw, len(expected) or 1), expected))
    return cases


def _bytes_of(text: bytes) -> bytes:
    escapes = {b"r\\n": b"\r\n", b"0": b"\0", b"n": b"\n", b"t": b"\t"}
    return re.sub(
        rb"\\(r\\n|0|n|t|x[0-9A-Fa-f]{2})",
        lambda found: escapes.get(found[1]) or bytes([int(found[1][1:], 16)]),
        text.replace(b"\n", b""),
    )


def _expected(outcome: str) -> list[dict[str, object]]:
    """The `request` that an outcome file assigns: it is Python (the pinned sdist's own), and calls `uri` with the target."""
    names: dict[str, object] = {"uri": lambda target: target}
    exec(re.sub(r"(?m)^(from|import) .*$", "", outcome), names)
    request = names["request"]
    return request if isinstance(request, list) else [request]  # type: ignore[list-item]


def _with_hosts(raw: bytes, requests: int) -> bytes:
    """`raw` with a Host in its first `requests` HTTP/1.1 heads where there is none."""
    at = 0
    for _ in range(requests):
        line = re.compile(rb"[^\r\n]*HTTP/1\.([01])\r\n").search(raw, at)
        if line is None:
            break
        at = line.end()
        head = raw[at : (raw.find(b"\r\n\r\n", at - 2) + 2) or len(raw)]
        if line[1] == b"1" and not re.search(rb"(?im)^host:", head):
            raw = raw[:at] + b"Host: added.example\r\n" + raw[at:]
    return raw


def refused(case: Case) -> bool:
    """Whether our own parsers refuse a case, whole and byte by byte."""
    found = []
    for pieces in ([case.raw], bytewise(case.raw)):
        try:
            list(read_requests(pieces))
            found.append(False)
        except MessageError:
            found.append(True)
    return all(found)


def accepted_as_expected(case: Case) -> bool:
    """Whether our own parsers read what gunicorn reads."""
    try:
        readings = list(read_requests([case.raw]))
    except MessageError:
        return False
    return len(readings) == len(case.expected) and all(map(_same, readings, case.expected))


def _same(reading: Reading, expected: dict[str, object]) -> bool:
    head = reading.head
    fields = [line.split(b":", 1) for line in head.lines.split(b"\r\n")[:-1]]
    named = [(name.decode("latin-1").upper(), value.strip(b" \t").decode("latin-1")) for name, value in fields]
    return (
        head.method.decode() == expected["method"]
        and head.raw_target.decode("latin-1") == expected["uri"]
        and (1, head.minor) == expected["version"]
        and [field for field in named if field != ("HOST", "added.example")] == expected["headers"]
        and reading.body == expected["body"]
    )


def judged_otherwise(sdist: Path, *, as_is: bool = False) -> tuple[list[str], str]:
    """The cases judged otherwise than by gunicorn (`invalid/NAME`, `valid/NAME`), and the counts as text."""
    invalid, valid = load(sdist, "invalid", as_is=as_is), load(sdist, "valid", as_is=as_is)
    accepted = [f"invalid/{case.name}" for case in invalid if not refused(case)]
    unread = [f"valid/{case.name}" for case in valid if not accepted_as_expected(case)]
    counts = f"invalid refused {len(invalid) - len(accepted)} of {len(invalid)}, valid accepted {len(valid) - len(unread)} of {len(valid)}"
    return accepted + unread, counts


def main(arguments: list[str] | None = None) -> int:
    """Print the counts and every case judged otherwise; 1 where one is so without a purpose."""
    parser = argparse.ArgumentParser(description="gunicorn's request corpus against exfront")
    parser.add_argument("sdist", type=Path)
    parser.add_argument("--as-is", action="store_true", help="leave HTTP/1.1 requests without Host alone")
    options = parser.parse_args(arguments)
    otherwise, counts = judged_otherwise(options.sdist, as_is=options.as_is)
    print(counts)
    for name in otherwise:
        print(f"  {name}: {ON_PURPOSE.get(name, 'NOT ON PURPOSE')}")
    return 0 if options.as_is or set(otherwise) <= ON_PURPOSE.keys() else 1


if __name__ == "__main__":
    sys.exit(main())
