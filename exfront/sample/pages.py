"""What a sample back-end answers: the folders of the mailbox or tree in the path, and the request as it arrived.

HTML for browsers, plain text for everybody else. Whatever came from outside is escaped, and no credential is shown.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from twisted.web.resource import Resource

if TYPE_CHECKING:
    from twisted.web.server import Request

MAILBOX = ("Inbox", "Sent items", "Drafts", "Calendar", "Contacts", "Tasks")
TREE = ("Company", "Projects", "Rooms", "Suggestions")
SECRET = {b"authorization", b"cookie", b"proxy-authorization"}

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} on {server}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }}
h1 {{ margin-bottom: 0 }}
.server {{ margin-top: 0 }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: 0 }}
nav a {{ display: block; padding: .3rem .8rem; border: 1px solid; border-radius: .4rem; text-decoration: none }}
nav a[aria-current] {{ font-weight: bold; background: color-mix(in srgb, currentcolor 12%, transparent) }}
table {{ border-collapse: collapse; width: 100% }}
caption {{ text-align: left; font-weight: bold; padding: .5rem 0 }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .5rem; border-top: 1px solid #8886; overflow-wrap: anywhere }}
th {{ white-space: nowrap; font-weight: normal }}
code {{ overflow-wrap: anywhere }}
@media (max-width: 36rem) {{
h1 {{ font-size: 1.6rem }}
th, td {{ display: block; padding-inline: 0 }}
th {{ font-weight: bold; padding-bottom: 0 }}
td {{ border: 0; padding-top: 0 }}
}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p class="server">answered by the sample back-end <strong>{server}</strong></p>
<nav aria-label="Folders"><ul>
{folders}
</ul></nav>
<h2>What reached this back-end</h2>
<p><code>{request}</code>{body}</p>
<table><caption>Header fields</caption><tbody>
{fields}
</tbody></table>
</main>
</body>
</html>
"""


class Mailboxes(Resource):
    """Every path of one sample back-end, with any method."""

    isLeaf = True

    def __init__(self, server: str) -> None:
        Resource.__init__(self)
        self._server = server

    def render(self, request: Request) -> bytes:
        """The page in the form the client accepts; a HEAD request gets its head (RFC 9110 9.3.2)."""
        received = request.content.read() if request.content else b""
        accepted = b",".join(request.requestHeaders.getRawHeaders(b"accept", ()))
        as_html = b"text/html" in accepted
        make = page if as_html else text
        content = make(self._server, request, len(received)).encode()
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8" if as_html else b"text/plain; charset=utf-8")
        request.setHeader(b"Content-Length", b"%d" % len(content))
        request.setHeader(b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'")
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Vary", b"Accept")
        return b"" if request.method == b"HEAD" else content


def place(path: str) -> tuple[str, str, tuple[str, ...], str]:
    """Title, the folders' common path, the folders, and the one the path is in (empty for none)."""
    segments = [segment for segment in path.split("/") if segment]
    directory = segments[0] if segments else "exchange"
    owner = segments[1:2]
    if directory.lower() == "exchange" and owner:
        return f"Mailbox of {unquote(owner[0])}", f"/{directory}/{owner[0]}/", MAILBOX, unquote("".join(segments[2:3]))
    return f"Folders in /{unquote(directory)}", f"/{directory}/", TREE, unquote("".join(owner))


def fields(request: Request) -> list[tuple[str, str]]:
    """Name and value of every header field; of a credential only the scheme, or that it was there."""
    shown = []
    for name, values in request.requestHeaders.getAllRawHeaders():
        for value in values:
            scheme = value.partition(b" ")[0] + b" " if name.lower().endswith(b"authorization") else b""
            masked = scheme + "•••".encode() if name.lower() in SECRET else value
            shown.append((name.decode("latin-1"), masked.decode(errors="replace")))
    return shown


def request_line(request: Request) -> str:
    """The request line as it arrived."""
    return b" ".join((request.method, request.uri, request.clientproto)).decode(errors="replace")


def text(server: str, request: Request, length: int) -> str:
    """For curl: the server, the place, the folders, the request."""
    title, _, folders, current = place(request.path.decode("latin-1"))
    where = f"{title}: {current}" if current else f"{title}: {', '.join(folders)}"
    lines = [f"{where} (answered by {server})", "", request_line(request)]
    lines += [f"{name}: {value}" for name, value in fields(request)]
    lines += ["", f"{length} bytes of body"] if length else []
    return "\n".join(lines) + "\n"


def page(server: str, request: Request, length: int) -> str:
    """For a browser."""
    title, root, folders, current = place(request.path.decode("latin-1"))
    links = [
        f'<li><a href="{escape(root + quote(folder))}/"{" aria-current=page" * (folder == current)}>{escape(folder)}</a></li>'
        for folder in folders
    ]
    rows = [f"<tr><th scope=row>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in fields(request)]
    return PAGE.format(
        title=escape(f"{current}: {title}" if current else title),
        server=escape(server),
        folders="\n".join(links),
        request=escape(request_line(request)),
        body=f", {length} bytes of body" if length else "",
        fields="\n".join(rows),
    )
