"""Makes `exfront` known to twistd and twist."""

from twisted.application.service import ServiceMaker

front_end = ServiceMaker(
    "exfront", "exfront.tap", "The front door of a web service that is spread over many servers.", "exfront"
)
