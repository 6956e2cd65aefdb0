"""One request from its head to its line in the log: who sends it, where it has to go, or why it goes nowhere.

The first half of a relay: logon, directory, verdict, and every answer that the front-end gives itself. Each rule is `exfront.policy`'s.
What is known is decided in one go, without a Deferred; where something must be waited for there is exactly one, cancelled when the client
goes away. The second half, the way to a back-end and back, is `exfront.frontend.relay`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from exfront.frontend.answers import challenge, error_answer
from exfront.frontend.visitor import request_id_of, visitor_of
from exfront.ledger import Finished
from exfront.model import (
    AskDirectory,
    AskHolders,
    AskLogon,
    DirectoryAway,
    Forward,
    LoggedOn,
    LogonRefused,
    NoAccount,
    Redirect,
    Refuse,
)
from exfront.policy.route import route

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from twisted.python.failure import Failure

    from exfront.frontend.leaves import ForwardingLeaf
    from exfront.model import AccountAnswer, HoldersAnswer, LogonAnswer, RequestHead, Server, Verdict
    from exfront.wire.inbound import ClientConnection

_finished = tuple.__new__
"""Makes a `Finished` of a plain tuple, without the call that names its fields: one is made for every request."""

_log = Logger(__name__)  # compiled, the module has no frame to take it from


class Errand:
    """One request; what is common to all its ways."""

    __slots__ = (
        "_attempts",
        "_client",
        "_head",
        "_head_seconds",
        "_identity",
        "_leaf",
        "_over",
        "_received",
        "_sent",
        "_server",
        "_services",
        "_started",
        "_status",
        "_user",
        "_visitor",
        "_waiting",
        "answering",
        "request_id",
    )

    def __init__(self, leaf: ForwardingLeaf, client: ClientConnection, head: RequestHead) -> None:
        services = leaf.services
        self._leaf = leaf
        self._services = services
        self._client = client
        self._head = head
        self._started = services.now()
        visitor = self._visitor = visitor_of(client, head, services.trusts)
        self.request_id: bytes = (
            request_id_of(visitor, head, services.next_id) if visitor.trusted else services.next_id()
        )
        self._identity: LoggedOn | None = None
        self._user = ""
        self._server: Server | None = None
        self._waiting: Deferred[Any] | None = None
        self._attempts = 0
        self._received = 0
        self._sent = 0
        self._status = 0
        self._head_seconds = -1.0
        self._over = False
        self.answering = False

    # logon

    def begin(self) -> bool:
        """Start; whether the request still goes on when this returns."""
        logons = self._leaf.logons
        if logons is None:
            self._follow(route(self._head, self._leaf.rule, None))
            return not self._over
        authorization = self._head.noted.get(b"authorization")
        if authorization is None:
            self._ask_logon("no-credentials")
            return False
        known = logons.known(authorization)
        if known is None:
            self._later(self._log_on(authorization))
        else:
            self._logged_on(known)
        return not self._over

    async def _log_on(self, authorization: bytes) -> None:
        logons = self._leaf.logons
        assert logons is not None
        answer = await logons.check(authorization)
        self._waiting = None
        if not self._over:
            self._logged_on(answer)

    def _logged_on(self, answer: LogonAnswer) -> None:
        if isinstance(answer, LoggedOn):
            self._identity = answer
            self._user = answer.name
            self._follow(route(self._head, self._leaf.rule, answer))
        elif isinstance(answer, LogonRefused):
            self._user = answer.name
            # the client sees one answer for every cause, the log tells them apart (F27)
            self._ask_logon(f"logon-{answer.cause.name.lower().replace('_', '-')}", answer.detail)
        else:
            self._away(answer)

    # the verdict

    def _follow(self, verdict: Verdict) -> None:
        if isinstance(verdict, Forward):
            self._forward(verdict)
        elif isinstance(verdict, AskDirectory):
            self._ask_directory(verdict)
        elif isinstance(verdict, AskHolders):
            self._ask_holders(verdict)
        elif isinstance(verdict, Refuse):
            self._refuse(verdict.status, verdict.reason, verdict.detail, verdict.retry_after)
        elif isinstance(verdict, AskLogon):
            self._ask_logon(verdict.reason)
        elif isinstance(verdict, Redirect):
            self._answer_with(verdict.status, "redirect", b"Location: %b\r\n" % verdict.location)

    def _forward(self, plan: Forward) -> None:
        """Walk the plan: the other half's part."""
        raise AssertionError("an errand that goes nowhere")

    # the directory

    def _ask_directory(self, verdict: AskDirectory) -> None:
        """Answer at once what is known of the names, in their order; else wait."""
        directory = self._services.directory
        assert directory is not None
        answer: AccountAnswer | None = None
        for name in verdict.names:
            answer = directory.known_account(name)
            if answer is None:
                self._later(self._wait_for_account(verdict))
                return
            if not isinstance(answer, NoAccount):
                break
        self._directory_answered(answer)

    async def _wait_for_account(self, verdict: AskDirectory) -> None:
        directory = self._services.directory
        assert directory is not None
        answer: AccountAnswer = NoAccount()
        for name in verdict.names:
            answer = directory.known_account(name) or await directory.account(name)
            if not isinstance(answer, NoAccount):
                break
        self._waiting = None
        if not self._over:
            self._directory_answered(answer)

    def _ask_holders(self, verdict: AskHolders) -> None:
        directory = self._services.directory
        assert directory is not None
        known = directory.known_holders(verdict.tree)
        if known is None:
            self._later(self._wait_for_holders(verdict.tree))
        else:
            self._directory_answered(known)

    async def _wait_for_holders(self, tree: str) -> None:
        directory = self._services.directory
        assert directory is not None
        answer = await directory.holders(tree)
        self._waiting = None
        if not self._over:
            self._directory_answered(answer)

    def _directory_answered(self, answer: AccountAnswer | HoldersAnswer | None) -> None:
        self._follow(route(self._head, self._leaf.rule, self._identity, answer))

    def _later(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        waiting: Deferred[Any] = Deferred.fromCoroutine(work)
        if not waiting.called:
            self._waiting = waiting
        _ = waiting.addErrback(self._defect)

    def _defect(self, failure: Failure) -> None:
        """Nothing but a defect of ours, or the client's going away, comes here."""
        if failure.check(CancelledError) is None:
            _log.failure("request {id} could not be carried", failure, id=self.request_id.decode("ascii", "replace"))
            if not self._over:
                self._let_go()
                self._refuse(500, "defect")

    # answers of the front-end's own

    def _away(self, away: DirectoryAway) -> None:
        self._refuse(503, "directory-away", away.reason, away.retry_after)

    def _ask_logon(self, reason: str, detail: str = "") -> None:
        self._answer_with(401, reason, challenge(self._leaf.realm), detail)

    def _refuse(self, status: int, reason: str, detail: str = "", retry_after: int = 0, close: bool = False) -> None:
        more = b"Retry-After: %d\r\n" % retry_after if retry_after else b""
        self._answer_with(status, reason, more, detail, close)

    def _answer_with(self, status: int, reason: str, more: bytes, detail: str = "", close: bool = False) -> None:
        if detail:
            request_id = self.request_id.decode("ascii", "replace")
            _log.info("request {id}: {reason}: {detail}", id=request_id, reason=reason, detail=detail)
        client = self._client
        close = close or not client.persists
        whole, self._sent = error_answer(status, self.request_id, self._head, reason=reason, more=more, close=close)
        self._status = status
        self.answering = True
        client.write(whole)
        self._finish(reason, close)

    # the end

    def _finish(self, reason: str, close: bool = False) -> None:
        """The answer is written whole."""
        self._record(reason)
        self._client.finished(close)

    def _let_go(self) -> None:
        """Free what is held and wait for nothing."""
        waiting = self._waiting
        self._waiting = None
        if waiting is not None:
            waiting.cancel()

    def _record(self, reason: str) -> None:
        """The one record of this request."""
        self._over = True
        head = self._head
        noted = head.noted
        services = self._services
        server = self._server
        done = (
            self._visitor.client.address,
            head.method,
            head.raw_target,
            head.minor,
            self._status,
            self._sent,
            services.now() - self._started,
            self.request_id,
            self._received,
            self._user,
            self._leaf.rule.name,
            server.name if server is not None else "",
            reason,
            self._head_seconds,
            self._attempts,
            noted.get(b"referer", b""),
            noted.get(b"user-agent", b""),
        )
        services.ledger.record(_finished(Finished, done))
