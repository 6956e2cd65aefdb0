"""The event loop exfront runs on: Twisted's asyncio reactor over uvloop.

Must be installed before anything imports `twisted.internet.reactor` (ldaptor's modules do, on import).
"""

from __future__ import annotations

import sys

import uvloop
from twisted.internet import asyncioreactor


def install_reactor() -> None:
    """Install the asyncio reactor over a new uvloop loop, unless a reactor is there already.

    A reactor that is there already (`twistd --reactor`, a test runner) is left alone: the endpoints say clearly when it will not do.
    """
    if "twisted.internet.reactor" not in sys.modules:
        asyncioreactor.install(uvloop.new_event_loop())
