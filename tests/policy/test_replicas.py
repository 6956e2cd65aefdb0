"""The order of the servers for a user: even, steady, the same everywhere."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.config.settings import Hash
from exfront.model import Server
from exfront.policy.replicas import by_range, order, position

USERS = [b"S-1-5-21-%d" % number for number in range(10_000)]
CHI_SQUARE_999 = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52, 6: 22.46, 7: 24.32, 8: 26.12}
"""The value that chance exceeds once in a thousand, by degrees of freedom."""
RENDEZVOUS_FIRSTS = ["pf3", "pf4", "pf1", "pf4", "pf3", "pf1"]
RANGE_FIRSTS = ["pf4", "pf3", "pf3", "pf1", "pf3", "pf4"]


def servers(count: int, **more: int) -> list[Server]:
    return [Server(f"pf{number}", "127.0.0.1", **more) for number in range(1, count + 1)]


def firsts(some: list[Server], how: Hash) -> dict[bytes, str]:
    return {user: order(user, some, how)[0].name for user in USERS}


class Evenness(SynchronousTestCase):
    def _spread(self, how: Hash) -> None:
        for count in range(2, 10):
            found = list(firsts(servers(count), how).values())
            expected = len(USERS) / count
            chi = sum((found.count(one.name) - expected) ** 2 / expected for one in servers(count))
            self.assertLess(chi, CHI_SQUARE_999[count - 1], count)

    def test_rendezvous(self) -> None:
        """F44: 10,000 users over 2 to 9 servers, chi-square."""
        self._spread(Hash.RENDEZVOUS)

    def test_range(self) -> None:
        """F44: the same for slices."""
        self._spread(Hash.RANGE)

    def test_the_second_choice_is_even_too(self) -> None:
        """F44: the users of a server that is away spread over all the others."""
        some = servers(4)
        seconds = [
            order(user, some, Hash.RENDEZVOUS)[1].name
            for user in USERS
            if order(user, some, Hash.RENDEZVOUS)[0] is some[0]
        ]
        expected = len(seconds) / 3
        chi = sum((seconds.count(one.name) - expected) ** 2 / expected for one in some[1:])
        self.assertLess(chi, CHI_SQUARE_999[2])


class Steadiness(SynchronousTestCase):
    def test_a_new_server_takes_its_share_and_nobody_else_moves(self) -> None:
        """F45: from n to n+1 servers 1/(n+1) of the users move, all of them to the new one."""
        for count in range(1, 9):
            before, after = firsts(servers(count), Hash.RENDEZVOUS), firsts(servers(count + 1), Hash.RENDEZVOUS)
            moved = [user for user in USERS if before[user] != after[user]]
            self.assertEqual({after[user] for user in moved}, {f"pf{count + 1}"})
            self.assertApproximates(len(moved) / len(USERS), 1 / (count + 1), 0.02)

    @settings(deadline=None, max_examples=100)
    @given(st.binary(max_size=80), st.permutations(servers(6)), st.sampled_from(Hash))
    def test_the_given_order_does_not_count(self, user: bytes, some: list[Server], how: Hash) -> None:
        """F44: any front-end, any order of the list, the same servers in the same order; all of them, each once."""
        ordered = order(user, some, how)
        self.assertEqual(ordered, order(user, servers(6), how))
        self.assertEqual(set(ordered), set(some))
        self.assertEqual(len(ordered), 6)

    @settings(deadline=None, max_examples=50)
    @given(st.binary(max_size=80), st.integers(0, 5))
    def test_losing_a_server_leaves_the_rest_in_order(self, user: bytes, lost: int) -> None:
        """F44: who is left stands as before."""
        some = servers(6)
        left = [one for one in some if one is not some[lost]]
        self.assertEqual(
            order(user, left, Hash.RENDEZVOUS), tuple(one for one in order(user, some, Hash.RENDEZVOUS) if one in left)
        )

    def test_the_hash_is_the_same_in_every_version(self) -> None:
        """F44: front-ends of different ages stand behind one name, so these never change."""
        some = servers(4)
        self.assertEqual([order(user, some, Hash.RENDEZVOUS)[0].name for user in USERS[:6]], RENDEZVOUS_FIRSTS)
        self.assertEqual([order(user, some, Hash.RANGE)[0].name for user in USERS[:6]], RANGE_FIRSTS)


class Weights(SynchronousTestCase):
    def test_weights_are_honoured(self) -> None:
        """F45: a server of weight 3 beside one of weight 1 has three quarters of the users."""
        some = [Server("a", "x", weight=3), Server("b", "x")]
        share = list(firsts(some, Hash.RENDEZVOUS).values()).count("a") / len(USERS)
        self.assertApproximates(share, 0.75, 0.015)

    def test_a_changed_weight_moves_users_to_or_from_that_server_only(self) -> None:
        """F45: the others keep theirs."""
        before = firsts(servers(3), Hash.RENDEZVOUS)
        after = firsts([*servers(2), Server("pf3", "x", weight=2)], Hash.RENDEZVOUS)
        self.assertEqual({after[user] for user in USERS if before[user] != after[user]}, {"pf3"})

    def test_drained_and_weightless_servers_come_last(self) -> None:
        """F44: they take nobody new as long as another server answers."""
        some = [Server("a", "x", weight=0), Server("b", "x", drain=True), Server("c", "x")]
        for how in Hash:
            self.assertEqual({order(user, some, how)[0].name for user in USERS[:50]}, {"c"})
            self.assertEqual({len(order(user, some, how)) for user in USERS[:5]}, {3})

    def test_short_lists(self) -> None:
        """F44: nobody and one need no hash."""
        for how in Hash:
            self.assertEqual(order(b"x", [], how), ())
            self.assertEqual(order(b"x", servers(1), how), tuple(servers(1)))


class Ranges(SynchronousTestCase):
    def _table(self, count: int) -> str:
        some = (
            [Server(name, "x") for name in "CAB"[3 - count :]] if count == 3 else [Server("B", "x"), Server("A", "x")]
        )
        return "".join(by_range(number / 6, some)[0].name for number in range(6))

    def test_the_table(self) -> None:
        """F45: six users on two servers are AAABBB, on three AABBCC; three of the six move."""
        two, three = self._table(2), self._table(3)
        self.assertEqual((two, three), ("AAABBB", "AABBCC"))
        self.assertEqual(sum(one != other for one, other in zip(two, three, strict=True)), 3)

    def test_the_others_follow_round_the_ring(self) -> None:
        """F45: then the ones after it, in order."""
        some = [Server(name, "x") for name in "ABC"]
        self.assertEqual("".join(one.name for one in by_range(0.4, some)), "BCA")
        self.assertEqual("".join(one.name for one in by_range(1 - 2**-53, some)), "CAB")
        self.assertEqual(by_range(0.5, []), ())

    @settings(deadline=None, max_examples=200)
    @given(st.floats(0, 1, exclude_max=True), st.integers(1, 1000))
    def test_every_place_has_its_slice(self, where: float, count: int) -> None:
        """F45: no rounding leads beyond the last one."""
        self.assertEqual(len(by_range(where, servers(count))), count)

    @settings(deadline=None, max_examples=200)
    @given(st.binary(max_size=100))
    def test_positions_lie_on_the_line(self, user: bytes) -> None:
        """F45: from 0 up to, but not at, 1."""
        self.assertTrue(0 <= position(user) < 1)
