"""exfront: the front door of a web service that is spread over many servers."""

__version__ = "0.1.0"
