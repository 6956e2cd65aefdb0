"""Run the tests on the reactor that exfront runs on: `python -m tests [trial's options] [names]`."""

import sys

from exfront.compiled import PACKAGE, changed
from exfront.wire.loop import install_reactor

install_reactor()

if older := changed(PACKAGE):
    sys.exit(
        f"Compiled before their sources were changed, so that the older code would be tested: {', '.join(older)}. Use make test."
    )

from twisted.scripts.trial import run  # noqa: E402  the reactor has to be there first

run()
