"""Carries one request: finds out where it goes, walks the plan, hands the answer back, and records it once.

The thin middle: every rule it follows is in `exfront.policy`, every byte it frames in `exfront.wire`. What is known is answered in one go,
without a Deferred; where something must be waited for there is exactly one Deferred, cancelled when the client goes away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import TimeoutError
from twisted.logger import Logger

from exfront.frontend.answers import challenge, error_answer
from exfront.frontend.carriage import is_connection_bound, request_head, response_head, wants_upgrade
from exfront.frontend.visitor import visitor_of
from exfront.ledger import Finished
from exfront.model import (
    AskDirectory,
    AskHolders,
    AskLogon,
    Forward,
    LoggedOn,
    LogonRefused,
    NoAccount,
    Refuse,
)
from exfront.policy.failover import REPEATABLE, again_on_new_connection, choose, marks_server, may_retry, status_of
from exfront.policy.outcome import Unreached
from exfront.policy.route import route
from exfront.wire.bodies import encode_chunk, last_chunk
from exfront.wire.outbound import ServerConnection

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from twisted.python.failure import Failure

    from exfront.errors import MessageError
    from exfront.frontend.leaves import ForwardingLeaf
    from exfront.frontend.services import Services
    from exfront.frontend.visitor import Visitor
    from exfront.model import (
        AccountAnswer,
        HoldersAnswer,
        LogonAnswer,
        RequestHead,
        ResponseHead,
        Server,
        Verdict,
    )
    from exfront.policy.outcome import Outcome, Unanswered
    from exfront.wire.inbound import ClientConnection

TUNNEL_GRACE = 60.0
"""Seconds that one way of a tunnel may stay open after the other has ended."""

CLIENT_GONE = 499
"""What the log says of a request whose client went away before an answer began."""

_log = Logger()


class Relay:
    """One request on its way. A `Receiver` for the client's connection and an `Attempt` for the back-end's."""

    __slots__ = (
        "_again",
        "_attempts",
        "_body_whole",
        "_candidates",
        "_chunks_to_client",
        "_client",
        "_connection",
        "_head",
        "_head_seconds",
        "_identity",
        "_kept",
        "_kept_size",
        "_leaf",
        "_outcomes",
        "_over",
        "_received",
        "_replayable",
        "_sent",
        "_server",
        "_services",
        "_started",
        "_status",
        "_target",
        "_trailers",
        "_tried",
        "_user",
        "_visitor",
        "_waiting",
        "_ways",
        "answering",
        "request_id",
    )

    def __init__(self, leaf: ForwardingLeaf, client: ClientConnection, head: RequestHead) -> None:
        services = leaf.services
        self._leaf = leaf
        self._services: Services = services
        self._client = client
        self._head = head
        self._started = services.now()
        self._visitor: Visitor = visitor_of(client, head, services.trusts)
        self.request_id: bytes = services.next_id()
        if self._visitor.trusted:
            self.request_id = head.noted.get(b"x-request-id", b"")[:128] or self.request_id
        self._identity: LoggedOn | None = None
        self._user = ""
        self._candidates: tuple[Server, ...] = ()
        self._target = b""
        self._tried: tuple[Server, ...] = ()
        self._outcomes: tuple[Outcome, ...] = ()
        self._server: Server | None = None
        self._connection: ServerConnection | None = None
        self._waiting: Deferred[Any] | None = None
        self._attempts = 0
        self._again = False
        self._body_whole = head.length == 0
        self._trailers = b""
        self._kept: list[bytes] = []
        """The request's body as far as it has come: what waits for a connection, and what a further attempt would need."""
        self._kept_size = 0
        self._replayable = True
        self._received = 0
        self._sent = 0
        self._status = 0
        self._head_seconds = -1.0
        self._chunks_to_client = False
        self._ways = 0
        """Open ways of the tunnel that the request has become; 0: it is none."""
        self._over = False
        self.answering = False

    # finding out where it goes

    def begin(self) -> Relay | None:
        """Start; None when the request is over already."""
        leaf = self._leaf
        if leaf.logons is not None:
            authorization = self._head.noted.get(b"authorization")
            if authorization is None:
                self._ask_logon("no-credentials")
                return None
            known = leaf.logons.known(authorization)
            if known is None:
                self._later(self._log_on(authorization))
                return None if self._over else self
            self._logged_on(known)
        else:
            self._follow(route(self._head, leaf.rule, None))
        return None if self._over else self

    def _later(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        waiting = self._waiting = Deferred.fromCoroutine(work)
        waiting.addErrback(self._defect)

    def _defect(self, failure: Failure) -> None:
        """Nothing but a defect of ours, or the client's going away, comes here."""
        if failure.check(CancelledError) is None:
            _log.failure("a request could not be carried", failure)
            if not self._over:
                self._refuse(500, "defect")

    async def _log_on(self, authorization: bytes) -> None:
        assert self._leaf.logons is not None
        answer = await self._leaf.logons.check(authorization)
        self._waiting = None
        if not self._over:
            self._logged_on(answer)

    def _logged_on(self, answer: LogonAnswer) -> None:
        if type(answer) is LoggedOn:
            self._identity = answer
            self._user = answer.name
            self._follow(route(self._head, self._leaf.rule, answer))
        elif isinstance(answer, LogonRefused):
            self._user = answer.name
            # the client sees one answer for every cause, the log tells them apart (F27)
            self._ask_logon(f"logon-{answer.cause.name.lower().replace('_', '-')}", answer.detail)
        else:
            self._refuse(503, "directory-away", answer.reason, answer.retry_after)

    def _follow(self, verdict: Verdict) -> None:
        if type(verdict) is Forward:
            self._candidates = verdict.candidates
            self._target = verdict.target
            self._next_attempt()
        elif isinstance(verdict, AskDirectory):
            self._ask_directory(verdict)
        elif isinstance(verdict, AskHolders):
            self._ask_holders(verdict)
        elif isinstance(verdict, Refuse):
            self._refuse(verdict.status, verdict.reason, verdict.detail, verdict.retry_after)
        elif isinstance(verdict, AskLogon):
            self._ask_logon(verdict.reason)
        else:
            self._answer_with(verdict.status, "redirect", b"Location: %b\r\n" % verdict.location)

    def _ask_directory(self, verdict: AskDirectory) -> None:
        """Answer at once what is known of the names, in their order; else wait."""
        directory = self._services.directory
        assert directory is not None
        answer: AccountAnswer | None = None
        for name in verdict.names:
            answer = directory.known_account(name)
            if answer is None:
                self._later(self._ask_accounts(verdict))
                return
            if not isinstance(answer, NoAccount):
                break
        self._directory_answered(answer)

    async def _ask_accounts(self, verdict: AskDirectory) -> None:
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

    # walking the plan

    def _next_attempt(self) -> None:
        services = self._services
        health = services.health
        candidates = self._candidates
        if not self._tried and not health.marks:
            server: Server | None = candidates[0]
        else:
            server = choose(candidates, self._tried, health.marks, services.now(), services.failover.unavailable)
        if server is None:
            self._give_up()
            return
        self._server = server
        self._attempts += 1
        if self._client.pinned is not None and self._send_on_pinned(server):
            return
        head = self._head
        repeatable = head.method in REPEATABLE and 0 <= head.length <= services.failover.replay_limit
        connection = services.pools.of(server).take(repeatable)
        if connection is not None:
            self._send(connection)
        else:
            self._connect(server)

    def _send_on_pinned(self, server: Server) -> bool:
        """Use the back-end connection that is this client connection's own, if it leads to `server`."""
        pinned = self._client.pinned
        assert isinstance(pinned, ServerConnection)
        if not pinned.usable:
            self._client.pinned = None
        elif pinned.server is server:
            self._send(pinned)
            return True
        return False

    def _pin(self, connection: ServerConnection) -> None:
        """From now on the connection speaks for one user: it is this client connection's alone."""
        old = self._client.pinned
        if old is not None and old is not connection:
            old.close()
        connection.pinned = True
        self._client.pinned = connection

    def _connect(self, server: Server) -> None:
        waiting = self._waiting = self._services.pools.of(server).connect()
        waiting.addCallbacks(self._connected, self._unreached)
        waiting.addErrback(self._defect)

    def _connected(self, connection: ServerConnection) -> None:
        self._waiting = None
        if self._over:
            connection.close()
        else:
            self._send(connection)

    def _unreached(self, failure: Failure) -> None:
        self._waiting = None
        if self._over or failure.check(CancelledError):
            return
        timed_out = failure.check(TimeoutError) is not None
        self._failed(Unreached("connect time-out" if timed_out else failure.getErrorMessage(), timed_out))

    def _send(self, connection: ServerConnection) -> None:
        self._connection = connection
        head = self._head
        assert self._server is not None
        carried = request_head(head, self._target, self._visitor, self.request_id, self._server)
        if self._leaf.logons is None and b"authorization" in head.noted and is_connection_bound(head.noted[b"authorization"]):
            self._pin(connection)
        if head.length == 0:
            connection.send(self, head.method, carried, True)
            return
        body = b"".join(self._kept)
        if head.length < 0:
            body = encode_chunk(body) + (last_chunk(self._trailers) if self._body_whole else b"")
        waits = not self._kept and b"expect" in head.noted
        connection.send(self, head.method, carried + body, self._body_whole, waits)
        if not self._body_whole:
            self._client.transport.resumeProducing()
        self._forget_large_body()

    def _forget_large_body(self) -> None:
        """What is larger than `replay_limit` is not kept for a further attempt (F49)."""
        if self._kept_size > self._services.failover.replay_limit:
            self._kept = []
            self._replayable = False

    def unanswered(self, outcome: Unanswered) -> None:
        """The attempt came to nothing (`Attempt`)."""
        self._connection = None
        if not self._again and again_on_new_connection(outcome) and may_retry(self._head.method, outcome, self._replayable):
            self._again = True
            assert self._server is not None
            self._connect(self._server)
        else:
            self._failed(outcome)

    def _failed(self, outcome: Outcome) -> None:
        server = self._server
        assert server is not None
        self._again = False
        self._outcomes += (outcome,)
        self._tried += (server,)
        reason = getattr(outcome, "reason", "")
        if marks_server(outcome):
            self._services.health.mark(server, reason)
        _log.info(
            "request {id}: {server} gave no answer: {reason}", id=self.request_id.decode(), server=server.name, reason=reason
        )
        if may_retry(self._head.method, outcome, self._replayable):
            self._next_attempt()
        else:
            self._give_up()

    def _give_up(self) -> None:
        if self._outcomes:
            self._refuse(status_of(self._outcomes), "no-answer")
        else:
            self._refuse(502, "no-server")

    # the request's body (Receiver)

    def body_received(self, data: bytes) -> None:
        self._received += len(data)
        connection = self._connection
        if self.answering:
            if connection is not None:
                connection.send_more(data if self._head.length >= 0 else encode_chunk(data), False)
            return
        if self._replayable:
            self._kept.append(data)
            self._kept_size += len(data)
        if connection is None:
            if self._kept_size > self._services.failover.replay_limit:
                self._client.transport.pauseProducing()
            return
        connection.send_more(data if self._head.length >= 0 else encode_chunk(data), False)
        self._forget_large_body()

    def body_ended(self, trailers: bytes) -> None:
        connection = self._connection
        if self._ways:
            if connection is not None and connection.transport is not None:
                connection.transport.loseWriteConnection()
            self._end_of_way()
            return
        self._body_whole = True
        self._trailers = trailers
        if connection is not None:
            connection.send_more(last_chunk(trailers) if self._head.length < 0 else b"", True)

    def body_broken(self, error: MessageError) -> None:
        if self.answering:
            self._leave("broken-body")
            self._client.abort()
        else:
            self._let_go()
            self._refuse(error.status, "broken-body", error.reason, close=True)

    def pause_body(self) -> None:
        """The back-end reads too slowly (`Attempt`)."""
        self._client.transport.pauseProducing()

    def resume_body(self) -> None:
        self._client.transport.resumeProducing()

    # the answer (Attempt)

    def interim(self, head: ResponseHead) -> None:
        if self._head.minor == 1:
            self._client.write(b"HTTP/1.1 %d %b\r\n%b\r\n" % (head.status, head.reason, head.lines))

    def answered(self, head: ResponseHead, data: bytes, done: bool) -> None:
        services = self._services
        self._head_seconds = services.now() - self._started
        server = self._server
        if services.health.marks:
            services.health.succeeded(server)  # type: ignore[arg-type]
        self.answering = True
        self._status = head.status
        client = self._client
        if not done:
            self._kept = []
        assert server is not None
        carried, self._chunks_to_client, close = response_head(head, self._head, self._visitor, server, client.persists)
        self._sent = len(data)
        if self._chunks_to_client and (data or done):
            data = encode_chunk(data)
            if done:
                data += last_chunk(self._connection.trailers)  # type: ignore[union-attr]
        client.write(carried + data if data else carried)
        if done:
            self._finish("", close)
        elif close:
            client.close_after()

    def continued(self, data: bytes, done: bool) -> None:
        self._sent += len(data)
        if self._ways:
            if data:
                self._client.write(data)
            if done:
                self._client.transport.loseWriteConnection()
                self._end_of_way()
            return
        if self._chunks_to_client:
            if data:
                self._client.write(encode_chunk(data))
            if done:
                self._client.write(last_chunk(self._connection.trailers))  # type: ignore[union-attr]
        elif data:
            self._client.write(data)
        if done:
            self._finish("")

    def broken_off(self, reason: str) -> None:
        self._connection = None
        if self._ways:
            self._record("")
            self._client.finished(close=True)
            return
        # the head has gone out: closing is the only way to say that the rest is missing (F64)
        self._record("broken-off")
        self._client.abort()

    def switched(self, head: ResponseHead, data: bytes) -> None:
        connection = self._connection
        assert connection is not None
        if not wants_upgrade(self._head):
            connection.leave()
            self._connection = None
            self._refuse(502, "unasked-upgrade")
            return
        self._ways = 2
        self.answering = True
        self._status = 101
        self._head_seconds = self._services.now() - self._started
        assert self._server is not None
        carried, _, _ = response_head(head, self._head, self._visitor, self._server, True)
        self._client.write(carried + data)
        self._sent = len(data)
        self._client.tunnel(self, self._to_back_end)

    def _to_back_end(self, data: bytes) -> None:
        self._received += len(data)
        if self._connection is not None:
            self._connection.write(data)

    def _end_of_way(self) -> None:
        """One way of the tunnel has ended; with the second one the tunnel is over."""
        self._ways -= 1
        if not self._ways:
            self._let_go()
            self._finish("", True)
            return
        self._client.deadline = self._services.now() + TUNNEL_GRACE

    # a slow client (Receiver)

    def pauseProducing(self) -> None:
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.pauseProducing()

    def resumeProducing(self) -> None:
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.resumeProducing()

    # the end

    def client_gone(self) -> None:
        if not self._over:
            self._leave("client-gone")

    def _leave(self, reason: str) -> None:
        """Free everything and record; nothing is answered."""
        self._let_go()
        if not self._status:
            self._status = CLIENT_GONE
        self._record(reason)

    def _let_go(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()
        self._kept = []

    def _ask_logon(self, reason: str, detail: str = "") -> None:
        self._answer_with(401, reason, challenge(self._leaf.realm), detail)

    def _refuse(self, status: int, reason: str, detail: str = "", retry_after: int = 0, close: bool = False) -> None:
        more = b"Retry-After: %d\r\n" % retry_after if retry_after else b""
        self._answer_with(status, reason, more, detail, close)

    def _answer_with(self, status: int, reason: str, more: bytes, detail: str = "", close: bool = False) -> None:
        if detail:
            _log.info("request {id}: {reason}: {detail}", id=self.request_id.decode(), reason=reason, detail=detail)
        client = self._client
        close = close or not client.persists
        whole, self._sent = error_answer(status, self.request_id, self._head, reason=reason, more=more, close=close)
        self._status = status
        self.answering = True
        client.write(whole)
        self._finish(reason, close)

    def _finish(self, reason: str, close: bool = False) -> None:
        self._connection = None
        self._record(reason)
        self._client.finished(close)

    def _record(self, reason: str) -> None:
        self._over = True
        head = self._head
        noted = head.noted
        services = self._services
        server = self._server
        services.ledger.record(
            Finished(
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
        )
