"""Run the tests on the reactor that exfront runs on: `python -m tests [trial's options] [names]`."""

from exfront.wire.loop import install_reactor

install_reactor()

from twisted.scripts.trial import run  # noqa: E402  the reactor has to be there first

run()
