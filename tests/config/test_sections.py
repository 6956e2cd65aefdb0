"""One section by itself: names, keys and further lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.text import DIRECTORY, mistakes_in, places_in


class TitleTests(SynchronousTestCase):
    """What sections may be called."""

    def test_unknown(self) -> None:
        """C1: an unknown section is told with all there are, and the closest; its keys are not looked at."""
        first, second = mistakes_in(DIRECTORY + "[frontend]\nx = 1\n[quite-else]\n")
        self.assertEqual((first.line, first.section, first.key), (4, "frontend", ""))
        self.assertIn("[virtual-directory NAME]", first.text)
        self.assertTrue(first.text.endswith(", did you mean 'front-end'?"))
        self.assertNotIn("did you mean", second.text)

    def test_misspelt_kind_of_a_named_one(self) -> None:
        """C1: the kind is guessed without the name."""
        (mistake,) = mistakes_in(DIRECTORY + "[virtual_server default]\n")
        self.assertIn("did you mean 'virtual-server'?", mistake.text)

    def test_name_missing(self) -> None:
        """C1: a virtual server needs a name; its keys are looked at all the same."""
        self.assertEqual(
            places_in(DIRECTORY + "[virtual-server]\nx = 1"), [(4, "virtual-server", ""), (5, "virtual-server", "x")]
        )

    def test_name_too_much(self) -> None:
        """C1: there is one front-end, and it has no name."""
        (mistake,) = mistakes_in(DIRECTORY + "[front-end one]")
        self.assertIn("without a name", mistake.text)

    def test_name_wrong(self) -> None:
        """C1: names are plain."""
        (mistake,) = mistakes_in(DIRECTORY + "[back-end a b]")
        self.assertIn("'a b'", mistake.text)

    def test_before_the_first(self) -> None:
        """C1: keys outside every section are told."""
        self.assertEqual(places_in("listen = tcp:80\n= x" + DIRECTORY), [(1, "", "listen"), (2, "", "")])

    def test_default_is_unknown(self) -> None:
        """DEFAULT has no meaning of its own."""
        self.assertEqual(places_in(DIRECTORY + "[DEFAULT]\nlisten = x"), [(4, "DEFAULT", "")])


class KeyTests(SynchronousTestCase):
    """What keys there may be."""

    def test_unknown(self) -> None:
        """C1: an unknown key is told with all there are, and the closest."""
        (mistake,) = mistakes_in("[front-end]\nlisten = tcp:80\nlog_fromat = json" + DIRECTORY)
        self.assertEqual((mistake.line, mistake.section, mistake.key), (3, "front-end", "log_fromat"))
        self.assertIn("allowed are listen, admin", mistake.text)
        self.assertTrue(mistake.text.endswith(", did you mean 'log_format'?"))

    def test_of_another_section(self) -> None:
        """C1: a key in the wrong section is told with the right one."""
        (mistake,) = mistakes_in("[front-end]\nca_file = x" + DIRECTORY)
        self.assertIn("a key of [directory] and [back-end]", mistake.text)

    def test_nameless(self) -> None:
        """C1: a value without key."""
        (mistake,) = mistakes_in("[front-end]\n= x" + DIRECTORY)
        self.assertEqual((mistake.line, mistake.key), (2, ""))
        self.assertIn("before the '='", mistake.text)

    def test_repeated(self) -> None:
        """C1: a repeated key is told at its second line, which names the first."""
        (mistake,) = mistakes_in("[front-end]\nadmin =\nlisten = tcp:80\nLISTEN = tcp:81" + DIRECTORY)
        self.assertEqual((mistake.line, mistake.key), (4, "listen"))
        self.assertIn("line 3", mistake.text)

    def test_missing(self) -> None:
        """C1: keys that have to be there are told at the section's line."""
        self.assertEqual(
            places_in("[directory]\n[virtual-directory x]\n[virtual-directory y]\npath = /y"),
            [
                (1, "directory", "url"),
                (2, "virtual-directory x", "path"),
                (2, "virtual-directory x", "kind"),
                (3, "virtual-directory y", "kind"),
            ],
        )

    def test_of_another_kind(self) -> None:
        """C1: keys of another kind of virtual directory are told with the kinds that have them."""
        text = "[virtual-directory x]\npath = /x\ntree = dc=x\nhash = range\nkind = mailbox\nserver = default"
        first, second = mistakes_in(text + DIRECTORY)
        self.assertEqual((first.line, first.key, second.line, second.key), (3, "tree", 4, "hash"))
        self.assertEqual(first.text, "found with kind = mailbox, allowed with kind = tree")
        self.assertEqual(second.text, "found with kind = mailbox, allowed with kind = public or tree or forward")

    def test_of_an_unknown_kind(self) -> None:
        """Nothing is said of keys while the kind is unknown."""
        self.assertEqual(
            places_in("[virtual-directory x]\npath = /x\nkind = maibox\ntree = dc=x" + DIRECTORY),
            [(3, "virtual-directory x", "kind")],
        )

    def test_of_the_default_schema(self) -> None:
        """C1: the custom schema's attributes are not read with the default one; who is switched off is (F18)."""
        self.assertEqual(
            places_in(DIRECTORY + "home_attribute = mailHost\ndisabled_attribute = off"),
            [(4, "directory", "home_attribute")],
        )

    def test_of_an_unknown_schema(self) -> None:
        """Nothing is said of the schemas' keys while the schema is unknown."""
        self.assertEqual(
            places_in(DIRECTORY + "schema = custm\nhome_attribute = mailHost"), [(4, "directory", "schema")]
        )

    def test_choices(self) -> None:
        """C1: a misspelt word is told with the words that this version serves, and the closest."""
        (mistake,) = mistakes_in(DIRECTORY + "[virtual-server a]\nauthentication = basics")
        self.assertEqual(mistake.text, "found 'basics', allowed is basic, none, did you mean 'basic'?")

    def test_patterns(self) -> None:
        """C1: what may be written is told without what this version does not serve."""
        (mistake,) = mistakes_in("[front-end]\nlisten = tpc:80" + DIRECTORY)
        self.assertIn("haproxy:tcp:PORT", mistake.text)
        self.assertNotIn("tls:", mistake.text)
        (mistake,) = mistakes_in(DIRECTORY + "[virtual-server a]\nauthentication = form")
        self.assertNotIn("forms", mistake.text)

    def test_each_item(self) -> None:
        """C1: every wrong item of a list is told at its own line."""
        text = "[front-end]\nlisten = tcp:80\n  tcp:x\n  ; comment\n  tcp:81\n  udp:1" + DIRECTORY
        self.assertEqual(places_in(text), [(3, "front-end", "listen"), (6, "front-end", "listen")])


class FurtherLineTests(SynchronousTestCase):
    """Values that go on where they should not."""

    def test_one_line(self) -> None:
        """C1: a value of one line that goes on is told at the second."""
        (mistake,) = mistakes_in("[front-end]\nlog_format = json\n\n  more" + DIRECTORY)
        self.assertEqual((mistake.line, mistake.key), (4, "log_format"))

    def test_indented_key(self) -> None:
        """C1: an indented key is told as what it is, also below a list."""
        (mistake,) = mistakes_in("[front-end]\nlisten = tcp:80\n  tcp:81\n  max_connections = 5" + DIRECTORY)
        self.assertEqual((mistake.line, mistake.key), (4, "listen"))
        self.assertIn("allowed is a key at the line's beginning", mistake.text)


class SecretTests(SynchronousTestCase):
    """Credentials never show in a mistake, wherever a slip has put them."""

    def test_slips(self) -> None:
        """C1: the mistake is told and the password is not."""
        for slip in (
            "bind_password hunter2",
            "bind_password hunter2==",
            "bind_password: hunter2=",
            "bind_pasword = hunter2",
            "bind_password = x\n  hunter2",
            "bind_password = \n  x\n  hunter2",
            "base = dc=a\n  bind_password = hunter2",
            "write_url = ldap://a\n  bind_pasword=hunter2",
            "write_url = ldap://a\n  bind_password hunter2",
            "write_url = ldap://a:hunter2@gc1",
            "write_url = ldap://a\n  https://a:hunter2@gc1",
            "bind_password_file = hunter2",
            "bind_password = hunter2\nbind_password = hunter2",
            "bind_password = hunter2\nbind_password_file = hunter2",
            "[store]\nurl = redis://:hunter2@127.0.0.1",
            "[store]\nurl = redis://:hunter2@ 127.0.0.1",
            "[virtual-directory x]\npath = /x\nkind = forward\nservers = a\n  password hunter2!",
        ):
            mistakes = mistakes_in(DIRECTORY + slip)
            self.assertTrue(mistakes, slip)
            self.assertNotIn("hunter2", "\n".join(map(str, mistakes)))
