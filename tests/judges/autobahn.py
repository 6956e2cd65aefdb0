"""The Autobahn test suite (cases 1-7 and 10) against a WebSocket echo server: every verdict is the same through exfront.

The suite's client asks the echo server directly and through exfront in one run. Some cases send a good frame and a bad one at
once and take it as NON-STRICT instead of OK when the echo of the first is overtaken by the close; that hangs on how the bytes were
cut into reads, which is not a proxy's business, so there both are taken for the same.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.judges import cache
from tests.judges.finding import Finding, Sitting, run
from tests.real.children import Child, free_port
from tests.real.front import Front

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CASES = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
NUMBER_OF_CASES = 247
_REPOSITORY = str(Path(__file__).parents[2])


def judge(agents: Mapping[str, str]) -> dict[str, Finding]:
    """A finding for each agent; `agents` is name → ws:// URL. Outcomes are "verdict / verdict of the close"."""
    wstest = cache.environment("autobahn") / "bin" / "wstest"
    with tempfile.TemporaryDirectory(prefix="exfront-autobahn-") as keep:
        folder = Path(keep)
        servers = [{"agent": name, "url": url} for name, url in agents.items()]
        rules = {"cases": CASES, "exclude-cases": [], "exclude-agent-cases": {}}
        (folder / "spec.json").write_text(json.dumps({"outdir": str(folder / "report"), "servers": servers, **rules}))
        status, said = run([str(wstest), "-m", "fuzzingclient", "-s", str(folder / "spec.json")], folder)
        index = folder / "report" / "index.json"
        if status or not index.exists():
            return {name: Finding({}, (f"wstest ended with {status}:\n{said[-3000:]}",)) for name in agents}
        report = json.loads(index.read_text())
    return {name: _finding(report.get(name, {})) for name in agents}


def compare(direct: Finding, through: Finding) -> list[str]:
    """A line for every case with another outcome through the front-end."""
    if len(direct.outcomes) != NUMBER_OF_CASES or len(through.outcomes) != NUMBER_OF_CASES:
        return [
            f"expected {NUMBER_OF_CASES} cases, found {len(direct.outcomes)} direct and {len(through.outcomes)} through"
        ]
    return [
        f"case {case}: {before} direct, {through.outcomes[case]} through"
        for case, before in direct.outcomes.items()
        if _alike(before) != _alike(through.outcomes[case])
    ]


def hold() -> Finding:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="exfront-echo-") as keep:
        echo = Child(
            [sys.executable, "-m", "tests.real.echo", str(port)],
            Path(keep),
            port,
            environment={"PYTHONPATH": _REPOSITORY},
        )
        with echo, Front(backend=port) as front:
            found = judge({"direct": f"ws://127.0.0.1:{port}", "exfront": f"ws://127.0.0.1:{front.port}"})
    direct, through = found["direct"], found["exfront"]
    counts = {f"{name} direct": number for name, number in direct.counts.items()}
    counts |= {f"{name} through": number for name, number in through.counts.items()}
    troubles = [*direct.troubles, *through.troubles] or compare(direct, through)
    return Finding(counts, tuple(troubles), through.outcomes)


def missing() -> str | None:
    try:
        import websockets  # noqa: F401
    except ImportError:
        return "the websockets library is not installed"
    try:
        cache.python2()
    except cache.Unavailable as why:
        return str(why)
    return None


def complaints(finding: Finding) -> Sequence[str]:
    return finding.troubles


SITTINGS = (Sitting("autobahn", "direct and through exfront", missing, hold, complaints),)


def _finding(cases: Mapping[str, Mapping[str, str]]) -> Finding:
    outcomes = {case: f"{found['behavior']} / {found['behaviorClose']}" for case, found in cases.items()}
    return Finding(dict(Counter(found["behavior"] for found in cases.values())), (), outcomes)


def _alike(outcome: str) -> str:
    return outcome.replace("NON-STRICT", "OK")
