"""The pages that say what went wrong: plain, friendly, and silent about everything behind the front-end.

Owns words and markup. Never gets a back-end's name, a DN or a directory's message; what it shows besides its own words is the
request's id, by which the administrator finds the line in the log.
"""

from __future__ import annotations

import re
from html import escape
from types import MappingProxyType
from typing import NamedTuple

HTML = b"text/html; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"

_WORDS: dict[int, tuple[str, str]] = {
    400: ("Bad request", "The request could not be understood."),
    401: ("Please log on", "This page needs a name and a password. If you gave them already, they were not accepted."),
    403: ("Not allowed", "You may not open this page."),
    404: ("Not found", "There is nothing at this address. Please check it for slips."),
    405: ("Not possible here", "This address cannot be used in that way."),
    408: ("Too slow", "The request took too long to arrive. Please try again."),
    413: ("Too large", "What was sent is larger than this server takes."),
    414: ("Address too long", "The address is longer than this server takes."),
    421: ("Wrong server", "This server does not answer for that name."),
    429: ("Too many requests", "Please wait a moment, then try again."),
    431: (
        "Head too large",
        "The request's head is larger than this server takes. Deleting this site's cookies may help.",
    ),
    500: ("Something went wrong", "The fault is on our side. Please try again later."),
    501: ("Not supported", "This server does not know what was asked of it."),
    502: ("No answer", "The server behind this address cannot be reached just now. Please try again later."),
    503: ("Not available just now", "The service cannot answer at the moment. Please try again shortly."),
    504: ("No answer in time", "The server behind this address took too long. Please try again later."),
    505: ("Version not supported", "This server speaks HTTP/1.1."),
}

HINTS = MappingProxyType(
    {
        "name-the-mailbox": "Name the mailbox in the address: put its name and a slash at the end.",
        "no-mailbox": "There is no mailbox of that name. Please check the address.",
        "http-disabled": "Access over the web is switched off for this mailbox. Its administrator can switch it on.",
        "not-in-domain": "Your account has no address in this site's domain.",
        "tls-needed": "This page works over https only.",
    }
)
"""What is said for the reason of a `Refuse` in place of the status's own sentence: only what its owner may know."""

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:14vh auto 0;padding:0 1.5rem;"
    "background:#fff;color:#1c1f23}"
    "h1{font-size:1.6rem;margin:0 0 .6rem}.id{margin-top:2.5rem;font-size:.85rem;color:#59616b;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{background:#15181c;color:#e6e8eb}.id{color:#9aa3ad}}"
)
_NOT_AT_ALL = re.compile(rb"q=0(?:\.0*+)?").fullmatch


class _Template(NamedTuple):
    before: bytes
    sentence: bytes
    between: bytes
    after: bytes


def _html(status: int, title: str, sentence: str) -> _Template:
    before = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{status} {escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f'<style>{_STYLE}</style>\n</head>\n<body>\n<main role="main">\n<h1>{escape(title)}</h1>\n'
    )
    between = f'<p class="id">Error {status}. If you ask for help, please pass on this number: <code>'
    return _Template(
        before.encode(),
        f"<p>{escape(sentence)}</p>\n".encode(),
        between.encode(),
        b"</code></p>\n</main>\n</body>\n</html>\n",
    )


def _text(status: int, title: str, sentence: str) -> _Template:
    return _Template(f"{title}\n\n".encode(), f"{sentence}\n".encode(), f"\nError {status}, request ".encode(), b"\n")


_PAGES = MappingProxyType({status: (_html(status, *words), _text(status, *words)) for status, words in _WORDS.items()})


def page(status: int, request_id: str, accept_html: bool, hint: str = "") -> tuple[bytes, bytes]:
    """The content type and the body of the page for `status`; a status without a page of its own gets that of 400 or 500's words.

    `hint`, plain text, stands in place of the status's sentence (see `HINTS`); a 401 page never shows one, so that all are alike but
    for the id (F27).
    """
    html, text = _PAGES.get(status) or _other(status)
    template = html if accept_html else text
    middle = template.sentence
    if hint and status != 401:
        middle = f"<p>{escape(hint)}</p>\n".encode() if accept_html else f"{_one_line(hint)}\n".encode()
    shown = escape(request_id) if accept_html else _one_line(request_id)
    return HTML if accept_html else TEXT, b"".join(
        (template.before, middle, template.between, shown.encode(errors="replace"), template.after)
    )


def accepts_html(accept: bytes | None) -> bool:
    """Whether an Accept field asks for HTML by name (RFC 9110 12.5.1): what browsers do, and programs with `*/*` do not."""
    if not accept:
        return False
    for one in accept.lower().split(b","):
        kind, *parameters = [part.strip(b" \t") for part in one.split(b";")]
        if kind == b"text/html":
            return not any(map(_NOT_AT_ALL, parameters))
    return False


def _other(status: int) -> tuple[_Template, _Template]:
    words = _WORDS[400 if 400 <= status < 500 else 500]
    return _html(status, *words), _text(status, *words)


def _one_line(text: str) -> str:
    return " ".join(text.split())
