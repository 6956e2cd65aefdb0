"""Carries one request to a back-end and its answer back.

The second half of an `Errand`: walks the plan attempt by attempt, keeps what of the body a further attempt would need, hands the answer
through with back-pressure both ways, and becomes a tunnel where both sides agree. Every rule it follows is in `exfront.policy`, every
byte it frames in `exfront.wire`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from twisted.internet.defer import CancelledError
from twisted.internet.error import TimeoutError
from twisted.logger import Logger

from exfront.frontend.carriage import is_connection_bound, request_head, response_head, wants_upgrade
from exfront.frontend.errand import Errand
from exfront.frontend.tunnel import Tunnel
from exfront.policy.failover import REPEATABLE, again_on_new_connection, choose, marks_server, may_retry, status_of
from exfront.policy.headers import response_lines
from exfront.policy.outcome import Unanswered, Unreached
from exfront.wire.bodies import encode_chunk, last_chunk
from exfront.wire.endpoints import is_ours, told

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from exfront.errors import MessageError
    from exfront.frontend.leaves import ForwardingLeaf
    from exfront.model import Forward, RequestHead, ResponseHead, Server
    from exfront.policy.outcome import Outcome
    from exfront.wire.inbound import ClientConnection
    from exfront.wire.outbound import ServerConnection

_log = Logger(__name__)

CLIENT_GONE = 499
"""What the log says of a request whose client went away before an answer began."""


class Relay(Errand):
    """One request on its way. A `Receiver` for the client's connection and an `Attempt` for the back-end's."""

    __slots__ = (
        "_again",
        "_body_whole",
        "_candidates",
        "_chunks_to_client",
        "_connection",
        "_kept",
        "_kept_size",
        "_outcomes",
        "_replayable",
        "_target",
        "_trailers",
        "_tried",
        "_tunnel",
    )

    def __init__(self, leaf: ForwardingLeaf, client: ClientConnection, head: RequestHead) -> None:
        super().__init__(leaf, client, head)
        self._candidates: tuple[Server, ...] = ()
        self._target = b""
        self._tried: tuple[Server, ...] = ()
        self._outcomes: tuple[Outcome, ...] = ()
        self._connection: ServerConnection | None = None
        self._again = False
        self._body_whole = head.length == 0
        self._trailers = b""
        self._kept: list[bytes] | None = None
        """The request's body as far as it has come: what waits for a connection, and what a further attempt would need."""
        self._kept_size = 0
        self._replayable = True
        self._chunks_to_client = False
        self._tunnel: Tunnel | None = None
        """What the request has become after a 101."""

    # walking the plan

    def _forward(self, plan: Forward) -> None:
        self._candidates = plan.candidates
        self._target = plan.target
        self._next_attempt()

    def _next_attempt(self) -> None:
        services = self._services
        marks = services.health.marks
        if not marks and not self._tried:
            server: Server | None = self._candidates[0]
        else:
            server = choose(self._candidates, self._tried, marks, services.now(), services.failover.unavailable)
        if server is None:
            self._give_up()
            return
        self._server = server
        self._attempts += 1
        if self._client.pinned is not None and self._send_on_pinned(server):
            return
        head = self._head
        repeatable = 0 <= head.length <= services.failover.replay_limit and head.method in REPEATABLE
        connection = services.pools.of(server).take(repeatable)
        if connection is not None:
            self._send(connection)
        else:
            self._connect(server)

    def _send_on_pinned(self, server: Server) -> bool:
        """Use the back-end connection that is this client connection's own, if it leads to `server`."""
        pinned = cast("ServerConnection", self._client.pinned)
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
        _ = waiting.addCallbacks(self._connected, self._unreached).addErrback(self._defect)

    def _connected(self, connection: ServerConnection) -> None:
        self._waiting = None
        if self._over:
            connection.close()
        elif connection.usable:
            self._send(connection)
        else:
            self._failed(Unreached("closed as soon as it was connected"))

    def _unreached(self, failure: Failure) -> None:
        self._waiting = None
        if not self._over and failure.check(CancelledError) is None:
            timed_out = failure.check(TimeoutError) is not None
            self._failed(
                Unreached(told(failure.value), timed_out, failure.value is not None and is_ours(failure.value))
            )

    def _send(self, connection: ServerConnection) -> None:
        self._connection = connection
        head = self._head
        server = self._server
        assert server is not None
        noted = head.noted
        carried = request_head(head, self._target, self._visitor, self.request_id, server)
        if b"authorization" in noted and self._leaf.logons is None and is_connection_bound(noted[b"authorization"]):
            self._pin(connection)
        if not head.length:
            connection.send(self, head.method, carried, True, False)
            return
        waits = not self._kept and b"expect" in noted
        connection.send(self, head.method, carried + self._kept_body(), self._body_whole, waits)
        if not connection.transport.write_paused:
            # it may have waited for the connection (`body_received`), and what follows a whole body is to be read, too
            self._client.transport.resumeProducing()
        self._forget_large_body()

    def _kept_body(self) -> bytes:
        """What has come of the body, as the back-end gets it."""
        body = b"".join(self._kept or ())
        if self._head.length > 0:
            return body
        return encode_chunk(body) + (last_chunk(self._trailers) if self._body_whole else b"")

    def _forget_large_body(self) -> None:
        """What is larger than `replay_limit` is not kept for a further attempt (F49)."""
        if self._kept_size > self._services.failover.replay_limit:
            self._kept = None
            self._replayable = False

    def unanswered(self, outcome: Unanswered) -> None:
        """The attempt came to nothing."""
        self._connection = None
        server = self._server
        assert server is not None
        if (
            not self._again
            and again_on_new_connection(outcome)
            and may_retry(self._head.method, outcome, self._replayable)
        ):
            self._again = True
            self._connect(server)
        else:
            self._failed(outcome)

    def _failed(self, outcome: Unreached | Unanswered) -> None:
        server = self._server
        assert server is not None
        self._again = False
        self._outcomes += (outcome,)
        self._tried += (server,)
        if marks_server(outcome):
            self._services.health.mark(server, outcome.reason)
        request_id = self.request_id.decode("ascii", "replace")
        _log.info(
            "request {id}: {server} gave no answer: {reason}", id=request_id, server=server.name, reason=outcome.reason
        )
        if may_retry(self._head.method, outcome, self._replayable):
            self._next_attempt()
        else:
            self._give_up()

    def _give_up(self) -> None:
        self._refuse(status_of(self._outcomes), "no-answer" if self._outcomes else "no-server")

    # the request's body (Receiver)

    def body_received(self, data: bytes) -> None:
        self._received += len(data)
        connection = self._connection
        if self._replayable and not self.answering:
            if self._kept is None:
                self._kept = []
            self._kept.append(data)
            self._kept_size += len(data)
        if connection is None:
            if self._kept_size > self._services.failover.replay_limit:
                self._client.transport.pauseProducing()
            return
        connection.send_more(encode_chunk(data) if self._head.length < 0 else data, False)
        self._forget_large_body()

    def body_ended(self, trailers: bytes) -> None:
        connection = self._connection
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
        """The back-end has caught up."""
        self._client.transport.resumeProducing()

    # the answer (Attempt)

    def interim(self, head: ResponseHead) -> None:
        """A 1xx answer: for HTTP/1.1 clients (RFC 9110 15.2)."""
        if self._head.minor:
            lines = response_lines(head.lines, head.noted)
            self._client.write(b"HTTP/1.1 %d %b\r\n%b\r\n" % (head.status, head.reason, lines))

    def answered(self, head: ResponseHead, data: bytes, done: bool) -> None:
        """The answer has begun, and is whole if `done`."""
        services = self._services
        server = self._server
        assert server is not None
        self._head_seconds = services.now() - self._started
        if services.health.marks:
            services.health.succeeded(server)
        self.answering = True
        self._status = head.status
        self._kept = None
        client = self._client
        carried, chunked, close = response_head(head, self._head, self._visitor, server, client.persists)
        self._sent = len(data)
        if chunked:
            self._chunks_to_client = True
            data = self._in_chunks(data, done)
        if done:
            # free already, perhaps another client's in a moment: it must not be paused because this one reads slowly
            self._connection = None
        client.write(carried + data)
        if done:
            self._finish("", close)
        elif close:
            client.close_after()

    def _in_chunks(self, data: bytes, done: bool) -> bytes:
        data = encode_chunk(data)
        if done:
            connection = self._connection
            assert connection is not None
            data += last_chunk(connection.trailers)
        return data

    def continued(self, data: bytes, done: bool) -> None:
        """More of the answer."""
        self._sent += len(data)
        client = self._client
        if self._chunks_to_client:
            data = self._in_chunks(data, done)
        if done:
            self._connection = None  # as in `answered`
        if data:
            client.write(data)
        if done:
            self._finish("")

    def broken_off(self, reason: str) -> None:
        """The back-end left in the middle of its answer."""
        self._connection = None
        # the head has gone out: closing is the only way to say that the rest is missing (F64)
        request_id = self.request_id.decode("ascii", "replace")
        _log.info("request {id}: broken off: {reason}", id=request_id, reason=reason)
        self._record("broken-off")
        self._client.abort()

    # the tunnel

    def switched(self, head: ResponseHead, data: bytes) -> None:
        """101: from now on bytes go both ways as they come (RFC 9110 7.8)."""
        connection = self._connection
        server = self._server
        assert connection is not None and server is not None
        if not wants_upgrade(self._head):
            self._let_go()
            self._refuse(502, "unasked-upgrade")
            return
        self._connection = None
        self.answering = True
        self._status = 101
        self._head_seconds = self._services.now() - self._started
        carried, _, _ = response_head(head, self._head, self._visitor, server, True)
        client = self._client
        tunnel = self._tunnel = Tunnel(client, connection, self._services.now, self._tunnel_over)
        connection.hand_to(tunnel)
        client.write(carried)
        client.tunnel(tunnel, tunnel.to_back_end)
        tunnel.continued(data, False)  # only now, for the tunnel has to hear when that is more than the client reads

    def _tunnel_over(self) -> None:
        tunnel, self._tunnel = self._tunnel, None
        assert tunnel is not None
        self._sent = tunnel.sent
        self._received += tunnel.received
        self._record("")

    # a slow client (Receiver)

    def pauseProducing(self) -> None:
        """The client reads too slowly."""
        connection = self._connection
        if connection is not None and connection.transport is not None:
            connection.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The client has caught up."""
        connection = self._connection
        if connection is not None and connection.transport is not None:
            connection.transport.resumeProducing()

    # the end

    def client_gone(self) -> None:
        """The client went away: everything is freed, nothing answered."""
        if not self._over:
            self._leave("client-gone")

    def _leave(self, reason: str) -> None:
        self._let_go()
        if not self._status:
            self._status = CLIENT_GONE
        self._record(reason)

    def _let_go(self) -> None:
        super()._let_go()
        connection = self._connection
        self._connection = None
        self._kept = None
        if connection is not None:
            connection.leave()
