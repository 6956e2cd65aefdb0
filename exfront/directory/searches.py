"""Searches on one connection: pipelined, at most a hundred in flight, the rest in order behind them.

Owns the queue, and the walk from page to page. Refuses to know how the connection came to be.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredLock

from exfront.directory.asking import check_search, next_page, paged, root_request, search_request
from exfront.directory.trouble import AnswerOverdue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from exfront.directory.asking import Control
    from exfront.directory.connection import Answer, DirectoryConnection
    from exfront.directory.interface import Entry, Query

IN_FLIGHT = 100
"""OpenLDAP stops reading from a connection with more (conn_max_pending)."""


class SearchLine:
    """A connection for searches only; a bind would abandon what is in flight."""

    def __init__(self, connection: DirectoryConnection, clock: IReactorTime, patience: float) -> None:
        self.connection = connection
        self._clock = clock
        self._patience = patience
        self._busy = 0
        self._queue: deque[Deferred[None]] = deque()
        self._advancing = False
        self._lists = DeferredLock()

    async def search(self, query: Query) -> list[Entry]:
        """All entries, or the errors of `check_search` and of the connection; a base that is not there gives []."""
        if query.size_limit:
            answer = await self.ask(search_request(query), most=query.size_limit)
            result = answer.result
            return answer.entries if check_search(result.resultCode, result.errorMessage, limited=True) else []
        # OpenLDAP keeps the state of one paged search a connection: lists take turns.
        await self._lists.acquire()
        try:
            return await self._list(query)
        finally:
            self._lists.release()

    async def _list(self, query: Query) -> list[Entry]:
        request, entries, cookie = search_request(query), [], b""
        while True:
            answer = await self.ask(request, [paged(cookie)])
            if not check_search(answer.result.resultCode, answer.result.errorMessage, limited=False):
                return []
            entries += answer.entries
            cookie = next_page(answer.controls)
            if not cookie:
                return entries

    async def greet(self) -> None:
        """Ask for nothing: whatever the server answers, it lives."""
        await self.connection.ask(root_request())

    def ask(self, request: Any, controls: Sequence[Control] | None = None, *, most: int = 0) -> Deferred[Answer]:
        """The connection's `ask`, in turn. What waits for its turn longer than the patience fails with AnswerOverdue."""
        if self._busy < IN_FLIGHT:
            return self._send(request, controls, most)
        turn: Deferred[None] = Deferred(self._queue.remove)
        self._queue.append(turn)
        in_time = turn.addTimeout(self._patience, self._clock).addErrback(_overdue)
        return in_time.addCallback(lambda _: self._send(request, controls, most))

    def _send(self, request: Any, controls: Sequence[Control] | None, most: int) -> Deferred[Answer]:
        sent = self.connection.ask(request, controls, most=most)
        self._busy += 1
        return sent.addBoth(self._done)

    def _done(self, result: Any) -> Any:
        self._busy -= 1
        if not self._advancing:  # a dead connection fails the whole queue at once: a loop, no recursion
            self._advancing = True
            while self._queue and self._busy < IN_FLIGHT:
                self._queue.popleft().callback(None)
            self._advancing = False
        return result


def _overdue(reason: Failure) -> Any:
    reason.trap(defer.TimeoutError)
    raise AnswerOverdue("too many searches before this one")
