"""The reference of all keys, and what the other pages show of configurations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from exfront.config import document
from exfront.config.reader import settings_of
from exfront.config.tables import TABLES, table_of
from exfront.config.unserved import UNSERVED, WITHOUT_EFFECT
from exfront.errors import ConfigurationError
from tests.config.pem import authority
from tests.config.text import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SNIPPET = re.compile(r"^(<!-- complete -->\n)?```ini\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEEDED = {
    "directory": "url = ldap://directory.adatum.com\n",
    "virtual-directory": "path = /x\nkind = mailbox\n",
}
"""What a section has to have besides the key that is tried."""
WITH = {
    "bind_dn": "bind_password = x\n",
    "bind_password": "bind_dn = cn=x\n",
    "bind_password_file": "bind_dn = cn=x\n",
    "home_attribute": "schema = custom\n",
}
"""What a key wants beside it."""


def snippets() -> Iterator[tuple[str, bool, str]]:
    """Page, whether it is a whole file, and text of every configuration that a page shows."""
    for page in PAGES:
        for whole, text in SNIPPET.findall(page.read_text("utf-8")):
            yield page.name, bool(whole), text


class ConfigurationCase(SynchronousTestCase):
    """Has a folder with the files that examples name."""

    def setUp(self) -> None:
        self.folder = authority(self)
        (self.folder / "directory.secret").write_text("secret\n")
        (self.folder / "demo.ldif").write_text("dn: dc=com\n")

    def mistakes(self, text: str) -> list[str]:
        try:
            settings_of(text.encode(), self.folder / "fe.ini")
        except ConfigurationError as error:
            return [str(one) for one in error.mistakes]
        return []


class ReferenceTests(ConfigurationCase):
    def test_page_is_up_to_date(self) -> None:
        """docs/configuration.md has the reference of today; if not: python -m exfront.config.document docs/configuration.md"""
        page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
        self.assertEqual(document.updated(page), page)

    def test_every_key_is_there(self) -> None:
        """Each key of each section is explained, or on the list of what is not served yet."""
        text = document.reference()
        for table in TABLES:
            for key in table.keys:
                self.assertIn(f"`{key.name}`", text, table.title)

    def test_lists_name_real_keys(self) -> None:
        """What is not served, and what has no effect, are keys that there are; none is on both lists for every value."""
        refused = {(one.section, one.key) for one in UNSERVED if not one.beginning}
        for title, name in (*WITHOUT_EFFECT, *((one.section, one.key) for one in UNSERVED)):
            table = table_of(title)
            self.assertTrue(table and table.key(name), (title, name))
        self.assertEqual(refused & set(WITHOUT_EFFECT), set())

    def test_keys_without_effect(self) -> None:
        """No part of exfront reads the setting of a key that is said to have no effect."""
        files = [one for one in (ROOT / "exfront").rglob("*.py") if one.parent.name != "config"]
        code = "\n".join(one.read_text("utf-8") for one in files)
        for title, name in WITHOUT_EFFECT:
            if name not in ("certificates", "minimum_version", "route", "sessions", "url"):  # words of other things too
                self.assertIsNone(re.search(rf"\.{name}\b", code), f"[{title}] {name} is read: take it off the list")

    def test_examples(self) -> None:
        """C1: each key's example is right."""
        for table in TABLES:
            for key in document.served(table):
                example = document.EXAMPLES[table.title][key.name]
                needed = NEEDED.get(table.title, "") + WITH.get(key.name, "")
                if key.only:
                    needed = (
                        re.sub(f"{table.selector} = .*\n", "", needed) + f"{table.selector} = {key.only[0].value}\n"
                    )
                needed = re.sub(f"^{key.name} = .*\n", "", needed, flags=re.MULTILINE)
                title = f"{table.title} default" if table.named else table.title
                text = f"[{title}]\n{key.name} = {example}\n{needed}"
                found = [one for one in self.mistakes(text) if f"[{title}] {key.name}: " in one]
                self.assertEqual([one for one in found if "without" not in one], [], text)

    def test_a_page_without_marks(self) -> None:
        """A page that cannot be brought up to date says so."""
        with self.assertRaises(ValueError):
            document.updated("# A page")


class SnippetTests(ConfigurationCase):
    def test_whole_files(self) -> None:
        """C1: a configuration that is marked as complete is right as it stands."""
        shown = [(page, text) for page, whole, text in snippets() if whole]
        self.assertGreater(len(shown), 3)
        for page, text in shown:
            self.assertEqual(self.mistakes(text), [], page)

    def test_fragments(self) -> None:
        """C1: every other one is right as soon as there is a directory."""
        for page, whole, text in snippets():
            if not whole:
                self.assertEqual(self.mistakes(text if "[directory]" in text else DIRECTORY + text), [], page)
