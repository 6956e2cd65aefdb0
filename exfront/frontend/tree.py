"""The tree: virtual servers by Host, virtual directories by longest path (F7).

Built once from the configuration; a reload builds a new one and swaps it. Owns no state but the tree itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from exfront.policy.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exfront.frontend.leaves import Leaf


@implementer(IResource)  # compiled, a class with a foreign base needs a decorator, or weak references to it break
class VirtualServerRoot(Resource):
    """One virtual server: its leaves by path."""

    def __init__(self, name: str, leaves: Mapping[bytes, Leaf], root: Leaf | None) -> None:
        """`root` answers `/` itself, where no virtual directory is there (F20)."""
        super().__init__()
        self.name = name
        for path, leaf in leaves.items():
            self.putChild(path.strip(b"/"), cast("Resource", leaf))
        self._paths = Paths(leaves)
        self._root = root if b"/" not in leaves else None

    def find(self, path: bytes) -> tuple[bool, Leaf | None]:
        """Whether the path is safe (else answer 400), and the leaf it leads to, or None (404)."""
        if path == b"/" and self._root is not None:
            return True, self._root
        return self._paths.find(path)


@implementer(IResource)  # compiled, a class with a foreign base needs a decorator, or weak references to it break
class Tree(Resource):
    """All virtual servers."""

    def __init__(self, servers: Iterable[tuple[tuple[str, ...], VirtualServerRoot]]) -> None:
        """`servers`: host patterns (lower case: exact, `*.domain` or `*`) and the virtual server they lead to."""
        super().__init__()
        self._exact: dict[bytes, VirtualServerRoot] = {}
        self._wild: dict[bytes, VirtualServerRoot] = {}
        self._any: VirtualServerRoot | None = None
        for patterns, root in servers:
            self.putChild(root.name.encode(), root)
            for pattern in patterns:
                self._add(pattern.encode("ascii"), root)
        self._only_any = not self._exact and not self._wild

    def _add(self, pattern: bytes, root: VirtualServerRoot) -> None:
        if pattern == b"*":
            self._any = root
        elif pattern.startswith(b"*."):
            self._wild[pattern[2:]] = root
        else:
            self._exact[pattern] = root

    def virtual_server(self, host: bytes) -> VirtualServerRoot | None:
        """The virtual server for a Host value: the exact name, else the longest wildcard, else `*`. Ports and case do not matter."""
        if self._only_any:
            return self._any
        name = host_name(host)
        found = self._exact.get(name)
        if found is not None:
            return found
        rest = name
        while rest:
            rest = rest.partition(b".")[2]
            found = self._wild.get(rest)
            if found is not None:
                return found
        return self._any


def host_name(host: bytes) -> bytes:
    """A Host value without port, final dot and brackets, in lower case."""
    if host.startswith(b"["):
        return host[1:].partition(b"]")[0].lower()
    return host.partition(b":")[0].rstrip(b".").lower()
