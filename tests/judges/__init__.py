"""Judges from outside: other projects' test suites and clients, which must say through exfront what they say without it."""
