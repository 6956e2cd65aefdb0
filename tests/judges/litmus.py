"""litmus, the WebDAV server test suite, against Apache's mod_dav: 104 tests by http, 103 by https, none may fail."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.judges.cache import Unavailable
from tests.judges.finding import Finding, Sitting, exactly, run
from tests.real import apache, tls
from tests.real.apache import Apache
from tests.real.children import program
from tests.real.front import FORWARD, MAILBOXES, PEOPLE, Front, NotServed

_SUMMARY = re.compile(r"<- summary for `(\w+)': of (\d+) tests run: (\d+) passed, (\d+) failed")
_TROUBLE = re.compile(r"^ *\d+\. (\S+?)\.* (FAIL.*)$", re.MULTILINE)

OWN_TLS = FORWARD.replace(
    "listen = tcp:{port}:interface=127.0.0.1",
    "listen = tcp:{port}:interface=127.0.0.1\n         tls:{tls}:interface=127.0.0.1",
).replace("[virtual-server default]", "[tls]\ncertificates = tls\nredirect_http = no\n\n[virtual-server default]")
"""FORWARD with a TLS listener of exfront's own on the port `tls`; the certificates are in the folder tls."""


def judge(url: str, *logon: str) -> Finding:
    """All five suites against `url`, as the user with name and password `logon`; counts "passed" and, if there are any, "failed"."""
    with tempfile.TemporaryDirectory(prefix="exfront-litmus-") as folder:
        status, said = run(["litmus", "-k", f"{url}/", *logon], Path(folder))
    summaries = _SUMMARY.findall(said.replace("\r", "\n"))
    passed = sum(int(summary[2]) for summary in summaries)
    failed = sum(int(summary[3]) for summary in summaries)
    troubles = [f"{name}: {why}" for name, why in _TROUBLE.findall(said.replace("\r", "\n"))]
    if len(summaries) != 5 or (status and not failed):
        troubles.append(f"litmus ended with {status} after {len(summaries)} of 5 suites:\n{said[-3000:]}")
    return Finding({"passed": passed, "failed": failed}, tuple(troubles))


def missing() -> str | None:
    return apache.missing() or (None if program("litmus") else "litmus is not installed (Debian package litmus)")


def direct() -> Finding:
    with Apache() as back_end:
        return judge(back_end.url)


def through() -> Finding:
    with Apache() as back_end, Front(backend=back_end.port) as front:
        return judge(front.url)


def to_a_mailbox() -> Finding:
    """F10, F14, F25: exfront asks for the password, the directory names the back-end."""
    with Apache() as back_end:
        back_end.add_folder("dav/user1")
        values = {"path": "/dav", "user_in_path": "yes", "backend": back_end.port}
        with Front(MAILBOXES, files={"people.ldif": PEOPLE}, **values) as front:
            return judge(f"{front.url}/dav/user1", "user1", "secret")


def behind_a_tls_proxy() -> Finding:
    """F6: https ends at somebody else's proxy, which exfront trusts; the back-end speaks http."""
    with (
        Apache() as back_end,
        Front(backend=back_end.port, trusted="127.0.0.0/8") as front,
        tls.TlsProxy(front.port) as proxy,
    ):
        return judge(proxy.url)


def own_tls() -> Finding:
    """F6: https ends at exfront; the back-end speaks http."""
    with Apache() as back_end:
        front = Front(OWN_TLS, ports=("tls",), backend=back_end.port)
        (front.folder / "tls").mkdir()
        tls.write_certificate(front.folder / "tls" / "localhost.pem")
        try:
            with front:
                return judge(f"https://localhost:{front.ports['tls']}")
        except NotServed as why:
            raise Unavailable(f"exfront's own TLS: {why}") from None


SITTINGS = (
    Sitting("litmus", "direct", missing, direct, exactly(passed=104)),
    Sitting("litmus", "through exfront", missing, through, exactly(passed=104)),
    Sitting("litmus", "to a mailbox through exfront", missing, to_a_mailbox, exactly(passed=104)),
    Sitting(
        "litmus",
        "https by a proxy, through exfront",
        lambda: missing() or tls.missing(),
        behind_a_tls_proxy,
        exactly(passed=103),
    ),
    Sitting("litmus", "https by exfront", missing, own_tls, exactly(passed=103)),
)
