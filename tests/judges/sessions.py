"""DAV clients at work: curl, cadaver and rclone, each with a scripted session of nested folders and odd names.

A session is held twice, with mod_dav directly and through exfront. Every status and every word that a client says has to be the
same but for the address, and the files that the back-end holds afterwards, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.judges.finding import Finding, Sitting, run
from tests.real import apache, tls
from tests.real.apache import Apache
from tests.real.children import program
from tests.real.front import Front

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Session: TypeAlias = Callable[[str, Path], list[str]]

ODD_NAMES = (
    "plain",
    "two words",
    "Grüße aus Köln",
    "100%",
    "a%20b",
    "hash#tag",
    "one+two",
    "and&more",
    "semi;colon",
    "it's",
    "[brackets]",
    "eq=ual,comma",
    "...dots...",
    "日本語",
    "e\u0301 in two",
    "x" * 200,
)
"""Names of files and folders that go wrong where a target is decoded and encoded again."""

_LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>judge</owner></lockinfo>'
_TOKEN = re.compile(r"opaquelocktoken:[0-9a-f-]+")
_BIG = 3_000_000


def curl(url: str, folder: Path) -> list[str]:
    """A line for each request: what it was and its status."""
    told = []

    def ask(method: str, path: str, *more: str) -> str:
        command = ["curl", "-sSk", "--path-as-is", "-o", "answer", "-D", "head", "-w", "%{http_code}", "-X", method]
        if method == "HEAD":
            command = [word for word in command if word not in ("-X", "HEAD")] + ["-I"]
        _, status = run([*command, *more, url + path], folder, patience=30)
        told.append(f"{method} {path[:60]} {' '.join(more).replace(url, 'URL')[:60]} -> {status}")
        return status

    (folder / "small").write_bytes(b"small\0\xff\r\n")
    (folder / "big").write_bytes(bytes(range(256)) * (_BIG // 256))
    for name in ODD_NAMES:
        path = "/" + quote(name)
        ask("MKCOL", f"{path}/")
        ask("PUT", f"{path}/{quote(name)}", "--data-binary", "@small")
        ask("PROPFIND", f"{path}/", "-H", "Depth: 1")
        ask("COPY", f"{path}/{quote(name)}", "-H", f"Destination: {url}{path}/copy%20of%20it")
        ask("MOVE", f"{path}/copy%20of%20it", "-H", f"Destination: {url}{path}/moved", "-H", "Overwrite: F")
        ask("GET", f"{path}/moved")
        told.append(_digest(folder / "answer"))
    ask("PUT", "/big", "-T", "big")
    ask("PUT", "/big-chunked", "-T", "big", "-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue")
    ask("GET", "/big-chunked", "-H", "Range: bytes=1000-1999")
    told.append(_digest(folder / "answer"))
    ask("HEAD", "/big")
    ask("GET", "/missing")
    ask("LOCK", "/plain/plain", "-d", _LOCK, "-H", "Content-Type: application/xml", "-H", "Timeout: Second-600")
    token = (_TOKEN.findall((folder / "head").read_text()) or ["none"])[0]
    ask("PUT", "/plain/plain", "-d", "without the lock")
    told.append(_digest(folder / "answer"))
    for condition in (f"(<{token}>)", f"<{url}/plain/plain> (<{token}>)"):
        status = ask("PUT", "/plain/plain", "-d", "with the lock", "-H", f"If: {condition}")
        told[-1] = f"PUT with the lock -> {status}"
    status = ask("UNLOCK", "/plain/plain", "-H", f"Lock-Token: <{token}>")
    told[-1] = f"UNLOCK -> {status}"
    ask("MOVE", "/plain/", "-H", f"Destination: {url}/renamed%20folder/")
    ask("DELETE", f"/{quote('hash#tag')}/")
    ask("OPTIONS", "/")
    return told


def cadaver(url: str, folder: Path) -> list[str]:
    """What cadaver says to a script."""
    (folder / "local file").write_text("cadaver's\n")
    (folder / "Ünïcode").write_text("more\n")
    script = [
        'mkcol "top folder"',
        'cd "top folder"',
        'mkcol "in&ner"',
        'put "local file"',
        'put "local file" "one+two"',
        'put Ünïcode "100%"',
        'copy "local file" "in&ner/copy"',
        'move "one+two" "three#four"',
        "ls",
        'ls "in&ner"',
        'lock "100%"',
        "discover 100%",
        'unlock "100%"',
        'propset "100%" colour green',
        'propget "100%" colour',
        'get "in&ner/copy" fetched',
        'mkcol "empty"',
        'rmcol "empty"',
        'delete "in&ner"',
        'delete "local file"',
        "ls",
        "quit",
    ]
    environment = {**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    status, said = run(
        ["cadaver", f"{url}/"], folder, stdin="\n".join(script) + "\n", patience=60, environment=environment
    )
    said = _TOKEN.sub("TOKEN", said.replace(url, "URL"))
    said = re.sub(r"\[[ =>]*\] [\d.]+% of \d+ bytes", "", re.sub(r"\b\w{3} +\d+ +\d\d:\d\d\b", "WHEN", said))
    fetched = folder / "fetched"
    return [f"ended with {status}", *said.splitlines(), _digest(fetched) if fetched.exists() else "nothing fetched"]


def rclone(url: str, folder: Path) -> list[str]:
    """What rclone makes of copying a tree there and back, checking it, moving and deleting in it."""
    local, back = folder / "local", folder / "back"
    for number, name in enumerate(ODD_NAMES):
        (local / name / "sub folder").mkdir(parents=True)
        (local / name / "sub folder" / name).write_bytes(name.encode() * (number * 997 + 1))
        (local / name / f"{number}").write_bytes(b"")
    environment = {**os.environ, "HOME": str(folder), "RCLONE_CONFIG": str(folder / "none"), "LC_ALL": "C.UTF-8"}
    environment |= {
        "RCLONE_CONFIG_DAV_TYPE": "webdav",
        "RCLONE_CONFIG_DAV_URL": url,
        "RCLONE_CONFIG_DAV_VENDOR": "other",
    }
    told = []
    for words in (
        ["copy", str(local), "dav:tree"],
        ["check", "--download", str(local), "dav:tree"],
        ["moveto", "dav:tree/two words", "dav:tree/moved/three words here"],
        ["moveto", "dav:tree/100%/3", "dav:tree/100% of it"],
        ["copyto", "dav:tree/one+two", "dav:tree/one+two+three"],
        ["lsf", "-R", "dav:tree"],
        ["copy", "dav:tree", str(back)],
        ["purge", "dav:tree/Grüße aus Köln"],
        ["deletefile", "dav:tree/it's/sub folder/it's"],
    ):
        status, said = run(
            ["rclone", "--no-check-certificate", "--retries", "1", "--low-level-retries", "1", *words],
            folder,
            patience=60,
            environment=environment,
        )
        lines = [
            re.sub(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", "", line) for line in said.replace(url, "URL").splitlines()
        ]
        told += [f"{words[0]} {words[-1].replace(str(folder), '')} -> {status}", *sorted(lines)]
    return [*told, *tree(back)]


def tree(folder: Path) -> list[str]:
    """A line for each file and folder beneath `folder`, with its content's digest. mod_dav's own property files are left out."""
    entries = (path for path in sorted(folder.rglob("*")) if ".DAV" not in path.parts)
    return [f"{path.relative_to(folder)} {_digest(path) if path.is_file() else '/'}" for path in entries]


def hold(session: Session, *, https: bool = False) -> Finding:
    """The session with mod_dav and with exfront before another mod_dav; troubles are the differences.

    With `https` the client speaks TLS to somebody else's proxy in front of exfront (F6).
    """
    with Apache() as back_end:
        direct = _told(session, back_end.url, back_end)
    with (
        Apache() as back_end,
        Front(backend=back_end.port, trusted="127.0.0.0/8") as front,
        tls.TlsProxy(front.port) if https else contextlib.nullcontext(front) as entrance,
    ):
        through = _told(session, entrance.url, back_end)
    differences = [f"direct: {a}\n    through: {b}" for a, b in zip(direct, through, strict=False) if a != b]
    if len(direct) != len(through):
        differences.append(f"{len(direct)} lines direct, {len(through)} through")
    return Finding({"lines": len(direct), "different": len(differences)}, tuple(differences))


def missing(*programs: str) -> str | None:
    absent = [name for name in programs if program(name) is None]
    return apache.missing() or (f"{absent[0]} is not installed (Debian package {absent[0]})" if absent else None)


def complaints(finding: Finding) -> Sequence[str]:
    few = [] if finding.counts["lines"] >= 20 else [f"a session of {finding.counts['lines']} lines says nothing"]
    return [*few, *finding.troubles]


SITTINGS = (
    *(
        Sitting(
            session.__name__,
            "direct and through exfront",
            partial(missing, session.__name__),
            partial(hold, session),
            complaints,
        )
        for session in (curl, cadaver, rclone)
    ),
    *(
        Sitting(
            session.__name__,
            "https by a proxy, through exfront",
            partial(missing, session.__name__, "nginx"),
            partial(hold, session, https=True),
            complaints,
        )
        for session in (curl, rclone)
    ),
)


def _told(session: Session, url: str, back_end: Apache) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="exfront-session-") as folder:
        told = [line.replace(folder, "FOLDER") for line in session(url, Path(folder))]
    return [*told, *tree(back_end.files)]


def _digest(file: Path) -> str:
    return f"{file.stat().st_size} bytes {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
