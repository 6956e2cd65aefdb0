"""The forms that values have: text in, typed value or a complaint out.

Owns the parsing of single values (switches, numbers, words, texts, files) and how each form describes what it allows, so that messages and
documentation say the same. Refuses to know which key has which form; names and addresses of the network are in `exfront.config.names`.

A parser gets the text and the folder that relative paths start from. It raises ValueError: the message of an `Unfit` says more than
"found …, allowed is …" and is shown, those of others may repeat the text and are not.
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exfront.config.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum
    from pathlib import Path

LINES = r"\n"
"""Separator: one a line."""
LIST = r"[\s,]+"
"""Separator: commas, white space and line ends."""
MOST_SECRET = 65536
"""Bytes that a secret's file may have."""
DAY = 86400


class Unfit(ValueError):
    """The text does not have the form, and why; the message never repeats the text."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one key's value is written."""

    parse: Callable[[str, Path], Any]
    allowed: str
    """What is allowed, as a phrase: `yes or no`."""
    separator: str | None = None
    """For lists: what stands between the items (a pattern); each is parsed by itself and the value is a tuple. None: one value."""
    choices: tuple[str, ...] = ()
    """What may be written, each by itself, where that can be counted: words, or patterns such as `tcp:PORT`."""
    secret: bool = False
    """Whether the text must never show."""


_SWITCHES = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


def switch() -> Form:
    """A truth value."""

    def parse(text: str, _: Path) -> bool:
        if text.lower() not in _SWITCHES:
            raise ValueError
        return _SWITCHES[text.lower()]

    return Form(parse, "yes, no, true, false, on, off, 1 or 0", choices=tuple(_SWITCHES))


def whole(low: int, high: int) -> Form:
    """A whole number from `low` to `high`, decimal digits only."""

    def parse(text: str, _: Path) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return Form(parse, f"a whole number from {low} to {high}")


def number(low: float, high: float, unit: str = "seconds", above: bool = False) -> Form:
    """A decimal number from `low` to `high`, or above `low`; infinity, not-a-number and exponents are none."""

    def parse(text: str, _: Path) -> float:
        if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", text):
            raise ValueError
        value = float(text)
        if not low <= value <= high or (above and value == low):
            raise ValueError
        return value

    return Form(parse, f"{unit}, {'more than' if above else 'from'} {low:g}, at most {high:.15g}")


def patience() -> Form:
    """Seconds that something may take: more than none, a day at most."""
    return number(0, DAY, above=True)


def lifetime() -> Form:
    """Seconds that something is kept: none to ten years."""
    return number(0, 3650 * DAY)


def one_of(words: type[Enum]) -> Form:
    """One word of an enumeration, by its value, in any case."""
    by_word = {str(one.value): one for one in words}

    def parse(text: str, _: Path) -> Enum:
        if text.lower() not in by_word:
            raise ValueError
        return by_word[text.lower()]

    return Form(parse, ", ".join(by_word), choices=tuple(by_word))


def text_like(pattern: str, allowed: str, *, lower: bool = False, choices: tuple[str, ...] = ()) -> Form:
    """A text that matches the whole pattern."""

    def parse(text: str, _: Path) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text.lower() if lower else text

    return Form(parse, allowed, choices=choices)


def list_of(form: Form, separator: str = LIST, each: str = "separated by commas or white space") -> Form:
    """Items of one form; the value is a tuple in the file's order."""
    return Form(form.parse, f"{form.allowed} ({each})", separator, form.choices)


def path() -> Form:
    """A file or folder that need not be there yet."""
    return Form(lambda text, folder: folder / text, "a path, relative to this file")


def log_path() -> Form:
    """A file, or None for standard output. Its folder is made at the start, where it is missing."""

    def parse(text: str, folder: Path) -> Path | None:
        if text == "-":
            return None
        file = folder / text
        if text.endswith("/") or os.path.isdir(file):
            raise Unfit("it is a folder")
        nearest = next((one for one in file.parents if os.path.lexists(one)), None)
        if nearest is not None and not os.path.isdir(nearest):
            raise Unfit(f"{nearest.name} is not a folder")
        return file

    return Form(parse, "a path, relative to this file, or - for standard output")


def existing_file(text: str, folder: Path) -> Path:
    """The file called `text`, which is there."""
    file = folder / text
    try:
        there = file.is_file()
    except OSError as error:
        raise Unfit(error.strerror) from None
    if not there:
        raise Unfit("there is no such file")
    return file


def certificates() -> Form:
    """A PEM file with one certificate at least."""

    def parse(text: str, folder: Path) -> Path:
        file = existing_file(text, folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(file)
        except ssl.SSLError:
            raise Unfit("it holds no certificate") from None
        except OSError as error:
            raise Unfit(error.strerror) from None
        if not context.cert_store_stats()["x509"]:
            raise Unfit("it holds no certificate")
        return file

    return Form(parse, "a file of certificates in PEM")


def secret() -> Form:
    """A secret, written in the configuration itself."""
    return Form(lambda text, _: Secret(text), "a text", secret=True)


def secret_file() -> Form:
    """A secret, alone in a file; one line end after it is not part of it."""
    return Form(_secret_of, "a file, relative to this one, that holds the secret in UTF-8", secret=True)


def _secret_of(text: str, folder: Path) -> Secret:
    file = existing_file(text, folder)
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_SECRET + 1)
    except OSError as error:
        raise Unfit(error.strerror) from None
    if len(content) > MOST_SECRET:
        raise Unfit(f"it has more than {MOST_SECRET} bytes")
    try:
        value = content.decode()
    except UnicodeDecodeError:
        raise Unfit("it is not UTF-8") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value or "\0" in value:
        raise Unfit("it is empty" if not value else "it has a NUL")
    return Secret(value)
