"""The grammar of HTTP/1.1 as regular expressions (RFC 9112 sections 2 to 7, RFC 9110 section 5).

Owns what the bytes may look like; what they mean is for `heads` and `bodies`. One expression is the grammar of a whole head, another finds
the few fields exfront looks at. Matched by `re`, this costs less than a C parser's callbacks and leaves the field lines byte-exact.

Characters repeat possessively, so that bad input costs no more than good. Groups never do: Python before 3.11.5, Debian 12's among them,
then matches what it must not. Where groups repeat, their parts begin with different characters, so there is little to go back to.
"""

from __future__ import annotations

import re

MAX_LINES = 200
"""Field lines in one head; 431 beyond."""
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD_LINE = rb"(?:" + TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)"
FIELD_LINES = FIELD_LINE + rb"{0,%d}" % MAX_LINES
"""Field lines with their CRLF (RFC 9112 5): token, colon, a value without controls; no obs-fold."""

# A target is visible ASCII without `#`, and 0x80-0xff: RFC 3986 knows ASCII only, but DAV clients do send raw UTF-8.
_PATH = rb"[!\"$->@-~\x80-\xff]"
_TARGET = rb"[!\"$-~\x80-\xff]"
_AUTHORITY = rb"(?:\[[0-9A-Fa-f:.]++\]|(?:[A-Za-z0-9._~!$&'()*+;=\-]++|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5}+)?"

match_request = re.compile(
    rb"(" + TOKEN + rb"++) ((/" + _PATH + rb"*+)(?:\?" + _TARGET + rb"*+)?) HTTP/1\.([0-9])\r\n"
    rb"(" + FIELD_LINES + rb")\r\n\Z"
).match  # fmt: skip
match_any_form = re.compile(
    rb"(" + TOKEN + rb"++) (" + _TARGET + rb"++) HTTP/1\.([0-9])\r\n(" + FIELD_LINES + rb")\r\n\Z"
).match
match_response = re.compile(
    rb"HTTP/1\.([0-9]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*+))?\r\n(" + FIELD_LINES + rb")\r\n\Z"
).match
match_versioned_line = re.compile(rb"(" + TOKEN + rb"++) (" + _TARGET + rb"++) HTTP/([0-9])\.[0-9]\r\n").match
match_request_line = re.compile(TOKEN + rb"++ " + _TARGET + rb"++ HTTP/1\.[0-9]\r\n").match
match_field_lines = re.compile(FIELD_LINE + rb"*\r\n\Z").match
match_token_start = re.compile(TOKEN).match
match_authority = re.compile(_AUTHORITY + rb"\Z").match
match_absolute_form = re.compile(
    rb"https?://(" + _AUTHORITY + rb")(/[^?]*+)?(\?.*+)?\Z", re.IGNORECASE | re.DOTALL
).match
match_length = re.compile(rb"[0-9]{1,19}\Z").match
match_codings = re.compile(TOKEN + rb"++(?:[ \t]*+,[ \t]*+" + TOKEN + rb"++)*\Z").match
HOST_LINE = re.compile(rb"^(host):[^\r]*+\r\n", re.IGNORECASE | re.MULTILINE)
LENGTH_LINE = re.compile(rb"^content-length:[^\r]*+\r\n", re.IGNORECASE | re.MULTILINE)


def _finder(by_initial: dict[str, str], glance: str) -> re.Pattern[bytes]:
    """The pattern that finds fields; `glance` lets most others (`Accept`, `Cookie`, `Date` ...) fail at their first letters."""
    branches = "|".join(f"[{initial.upper()}{initial}](?i:{rest})" for initial, rest in by_initial.items())
    return re.compile(rf"\n(?={glance})((?:{branches})):[ \t]*+([^\r]*(?<![\t ])|)".encode())


_any = r"[!#$%&'*+\-.^_`|~0-9a-z]*+"
find_request_fields = _finder(
    {
        "a": "uthorization",
        "c": "onnection|ontent[-_]length",
        "d": "estination",
        "e": "xpect",
        "f": "orwarded|ront[-_]end[-_]https",
        "h": "ost|ttp2-settings",
        "i": "f",
        "k": "eep-alive",
        "m": "ax-forwards",
        "p": f"roxy(?:[-_]{_any})?",
        "r": "eferer",
        "t": "ransfer[-_]encoding|e|railer",
        "u": "ser-agent|pgrade",
        "v": "ia",
        "x": f"[-_](?:forwarded(?:[-_]{_any})?|request[-_]id|real[-_]ip|original[-_](?:url|host)|rewrite[-_]url)",
    },
    "[Aa][Uu]|[Cc][Oo][Nn]|[DdEeFfHhIiKkMmPpRrTtUuVv]|[Xx][-_]",
).findall
find_response_fields = _finder(
    {
        "a": "lt-svc",
        "c": "onnection|ontent-l(?:ength|ocation)",
        "k": "eep-alive",
        "l": "ocation",
        "p": f"roxy-{_any}|ersistent-auth",
        "s": "erver-load",
        "t": "ransfer-encoding|e|railer",
        "u": "pgrade",
        "v": "ia",
        "w": "ww-authenticate",
    },
    "[AaLl][LlOo]|[Cc][Oo][Nn]|[KkPpTtUuWw]|[Ss][Ee][Rr]|[Vv][Ii]",
).findall
