#!/usr/bin/env python3
"""The checker of histories: right ones pass, each way of being wrong is caught, and on small ones it agrees with
trying every order."""

import copy
import itertools
import random
import unittest

from harness.history import OK, REJECTED, UNKNOWN, Append, History, Read, check, now
from harness.online import OnlineChecker, Violation


def simulate(rng, operations=60, crashes=True):
    """A history of a log that does everything right, and its final content."""
    history, log, clock = History(), [], 0
    pending = []
    counter = itertools.count()

    def tick():
        nonlocal clock
        clock += rng.randint(1, 5)
        return clock

    def finish(entry):
        kind, operation, moment = entry
        if kind == "read":
            operation.resp = tick()
            history.reads.append(operation)
        elif moment is not None and not (crashes and rng.random() < 0.15):
            operation.resp, operation.outcome, operation.base = tick(), OK, moment
        elif moment is None and operation.expected is not None:
            operation.outcome, operation.resp = REJECTED, tick()
            operation.next_offset = len(log)

    for number in range(operations):
        while pending and rng.random() < 0.6:
            finish(pending.pop(rng.randrange(len(pending))))
        if rng.random() < 0.6:
            values = [f"v{next(counter)}" for _ in range(rng.choice((1, 1, 3)))]
            append = Append(values, tick())
            history.appends.append(append)
            base = len(log)
            if rng.random() < 0.1:
                append.outcome, base = REJECTED, None
                append.resp = tick()
            elif crashes and rng.random() < 0.1:
                base = None
            elif rng.random() < 0.2:
                append.expected = rng.choice((base, base + 1))
                base = base if append.expected == base else None
                if base is not None:
                    log += values
                else:
                    append.outcome, append.resp, append.next_offset = REJECTED, tick(), len(log)
            else:
                log += values
            if append.outcome is not REJECTED:
                pending.append(("append", append, base))
        else:
            inv = tick()
            exact = rng.random() < 0.7
            length = len(log) if exact else known_to_a_follower(rng, history, log)
            start = rng.randint(0, length)
            seen = log[start:min(length, start + rng.randint(0, 5))]
            end, known = (length, None) if exact else (None, length if rng.random() < 0.5 else None)
            pending.append(("read", Read(inv, 0, start, seen, end, session=number, known=known), None))
        tick()
    while pending:
        finish(pending.pop())
    return history, log


def known_to_a_follower(rng, history, log):
    """An end that a node which is behind may know: never inside a batch."""
    inside = set()
    for append in history.appends:
        if append.values[0] in log:
            base = log.index(append.values[0])
            inside |= set(range(base + 1, base + len(append.values)))
    return rng.choice([end for end in range(len(log) + 1) if end not in inside])


def acknowledged(history, values=1):
    return [a for a in history.appends if a.outcome == OK and len(a.values) >= values]


def lose(rng, history, log):
    del log[rng.choice(acknowledged(history)).base]
    return {"lost", "moved", "torn batch", "disagreement", "shrunk", "condition ignored"}


def double(rng, history, log):
    log.append(rng.choice(log))
    return {"duplicate"}


def swap(rng, history, log):
    first, second = (a.base for a in rng.sample(acknowledged(history), 2))
    log[first], log[second] = log[second], log[first]
    return {"moved"}


def invent(rng, history, log):
    log.append("never sent")
    return {"invented"}


def refuse(rng, history, log):
    rng.choice(acknowledged(history)).outcome = REJECTED
    return {"rejected but stored"}


def tear(rng, history, log):
    append = rng.choice(acknowledged(history, 2))
    append.outcome = UNKNOWN
    for other in history.appends:
        if other.outcome == OK and other.base >= append.base:
            other.base -= 1  # so that nothing but the batch is wrong
    history.reads.clear()
    for other in history.appends:
        other.expected = other.next_offset = None
    del log[append.base]
    return {"torn batch"}


def forget(rng, history, log):
    """A read that does not know of an append acknowledged before it began."""
    append = rng.choice(acknowledged(history))
    history.reads.append(Read(append.resp + 0.5, append.resp + 0.7, 0, log[:append.base], append.base, session=-1))
    return {"stale read", "torn batch", "non-monotonic reads"}


def foresee(rng, history, log):
    """A read that saw a value before it had been sent."""
    append = rng.choice(acknowledged(history)[1:])
    history.reads.append(Read(append.inv - 2, append.inv - 1, append.base, append.values[:1], None, session=-1))
    return {"read from the future", "order inversion"}


def invert(rng, history, log):
    """An append that began after another was acknowledged, with a lower offset."""
    first, second = sorted(rng.sample(acknowledged(history), 2), key=lambda a: a.base)
    history.reads.clear()
    second.inv, second.resp = 0.1, 0.2
    first.inv, first.resp = max(first.inv, 1), max(first.resp, 2)
    return {"order inversion"}


def other_value(rng, history, log):
    read = rng.choice([r for r in history.reads if r.values])
    read.values = list(read.values)
    read.values[0] = "something else"
    return {"disagreement"}


def cut(rng, history, log):
    end = max(a.base + len(a.values) for a in acknowledged(history))
    history.reads.append(Read(10 ** 9, 10 ** 9 + 1, 0, log[:end], end, session=-1))
    for append in history.appends:
        if append.outcome == OK and append.base + len(append.values) == end:
            append.outcome = UNKNOWN
            del log[append.base:]
    return {"shrunk", "lost"}


def condition(rng, history, log):
    append = rng.choice(acknowledged(history))
    append.expected = append.base + 1
    return {"condition ignored"}


def go_back(rng, history, log):
    """What a plain read has shown, a linearizable one that began later does not know of."""
    append = rng.choice(acknowledged(history))
    length = append.base + len(append.values)
    append.resp, append.outcome = float("inf"), UNKNOWN  # so that only the two reads are at odds
    begun = max([a.inv for a in history.appends] + [r.resp for r in history.reads]) + 1
    history.reads.append(Read(begun, begun + 1, append.base, list(append.values), session=-1))
    history.reads.append(Read(begun + 2, begun + 3, 0, log[:append.base], append.base, session=-2))
    for other in history.appends:
        if other.outcome == OK and other.base > append.base:
            other.resp, other.outcome = float("inf"), UNKNOWN
    return {"non-monotonic reads"}


def fall_back(rng, history, log):
    """The end that one life of one node knows goes back."""
    length = max(a.base + len(a.values) for a in acknowledged(history))
    history.reads.append(Read(10 ** 9, 10 ** 9 + 1, 0, [], session="n2, life 1", known=length))
    history.reads.append(Read(10 ** 9 + 2, 10 ** 9 + 3, 0, [], session="n2, life 1", known=0))
    return {"shrunk"}


def look_inside(rng, history, log):
    """A plain read that saw half of a batch as the end."""
    append = rng.choice(acknowledged(history, 2))
    history.reads.append(Read(append.resp + 1, append.resp + 2, append.base, append.values[:1], session=-1,
                              known=append.base + 1))
    return {"torn batch"}


def outrun(rng, history, log):
    """A read that returns what lies behind the end it states."""
    append = rng.choice(acknowledged(history))
    history.reads.append(Read(append.resp + 1, append.resp + 2, append.base, append.values, append.base, session=-1))
    return {"read past end"}


def false_miss(rng, history, log):
    """412 although the next offset was the expected one."""
    history.appends.append(Append(["missed"], 0, 1, REJECTED, expected=3, next_offset=3))
    return {"false 412"}


MUTATIONS = [lose, double, swap, invent, refuse, tear, forget, foresee, invert, other_value, cut, condition, go_back,
             fall_back, look_inside, outrun, false_miss]


def possible(history, final):
    """Tries every order of the operations: the definition itself, for tiny histories."""
    place = {value: offset for offset, value in enumerate(final)}
    operations = [(a.inv, a.resp if a.outcome == OK else float("inf"), "append", len(a.values))
                  for a in history.appends if a.values[0] in place]
    order = {index: place[a.values[0]] for index, a in enumerate(
        a for a in history.appends if a.values[0] in place)}
    operations += [(r.inv, r.resp, "read", r) for r in history.reads]

    def search(done, length):
        if len(done) == len(operations):
            return True
        rest = [i for i in range(len(operations)) if i not in done]
        for i in rest:
            # i can be next only if no other one that is left was over before i began
            if any(operations[j][1] <= operations[i][0] for j in rest if j != i):
                continue
            _, _, kind, what = operations[i]
            if kind == "append":
                if order[i] == length and search(done | {i}, length + what):
                    return True
            elif (what.end is None or what.end == length) and what.seen() <= length:
                if search(done | {i}, length):
                    return True
        return False
    return search(frozenset(), 0)


class HistoryTest(unittest.TestCase):
    def test_right_histories_pass(self):
        for seed in range(500):
            with self.subTest(seed=seed):
                history, log = simulate(random.Random(seed))
                self.assertEqual(check(history, log), [])

    def test_every_mutation_is_caught_under_its_name(self):
        for mutate in MUTATIONS:
            for seed in range(100):
                rng = random.Random(seed)
                history, log = simulate(rng, operations=80)
                names = mutate(rng, history, log)
                with self.subTest(mutation=mutate.__name__, seed=seed):
                    found = {kind for kind, _ in check(history, log)}
                    self.assertTrue(found & names, f"found {found or 'nothing'}, expected one of {names}")

    def test_replicas_that_differ_are_caught(self):
        history, log = simulate(random.Random(1))
        self.assertEqual(check(history, log, {"n1": log, "n2": list(log), "n3": tuple(log)}), [])
        swapped = [*log[:5], log[6], log[5], *log[7:]]
        for values in (log[:-1], log + ["more"], swapped, [], log[1:]):
            with self.subTest(length=len(values)):
                found = check(history, log, {"n1": log, "n2": values})
                self.assertEqual([kind for kind, _ in found], ["divergence"])
                self.assertIn("n2", found[0][1])

    def test_checking_takes_linear_time(self):
        """Each step looks at each operation a bounded number of times: 100,000 take seconds."""
        history, count = History(), 50_000
        for i in range(count):
            history.appends.append(Append([f"v{i}"], 4 * i, 4 * i + 1, OK, i))
            history.reads.append(Read(4 * i + 2, 4 * i + 3, i, [f"v{i}"], i + 1, session=i % 7))
        self.assertEqual(check(history, [f"v{i}" for i in range(count)]), [])

    def test_times_agree_with_trying_every_order(self):
        verdicts = {True: 0, False: 0}
        for seed in range(3000):
            rng = random.Random(seed)
            history, log = simulate(rng, operations=rng.randint(2, 6), crashes=rng.random() < 0.3)
            moved = copy.deepcopy(history.appends) + history.reads
            for operation in moved:  # the same places, at other times
                if rng.random() < 0.5:
                    shift = rng.randint(-25, 25)
                    operation.inv += shift
                    if operation.resp is not None:
                        operation.resp += shift
            history.appends = moved[:len(history.appends)]
            for number, read in enumerate(history.reads):
                read.session = number
            found = [kind for kind, _ in check(history, log)]
            if set(found) & {"torn batch"}:
                continue
            expected = possible(history, log)
            verdicts[expected] += 1
            with self.subTest(seed=seed):
                self.assertEqual(not found, expected, found)
        self.assertGreater(min(verdicts.values()), 300, verdicts)


class Online(unittest.TestCase):
    """The checker that looks on: the same log, but each contradiction is seen when it is told."""

    def setUp(self):
        self.history = History(online=OnlineChecker())

    def append(self, values, base=None, outcome=OK):
        entry = self.history.begin_append(values)
        if base is not None or outcome != OK:
            self.finish(entry, base, outcome)
        return entry

    def finish(self, entry, base, outcome=OK):
        entry.resp, entry.outcome, entry.base = now(), outcome, base
        if outcome == OK:
            self.history.acknowledged(entry)

    def read(self, start, values, end=None, known=None, floor=None):
        floor = self.history.floor() if floor is None else floor
        self.history.add_read(Read(now(), now(), start, values, end, 0, known, floor))

    def caught(self, what, action):
        with self.assertRaises(Violation) as raised:
            action()
        self.assertIn(what, str(raised.exception))

    def test_right_histories_pass(self):
        for seed in range(200):
            rng, log, running = random.Random(seed), [], []
            self.setUp()
            for number in range(100):
                if rng.random() < 0.5:
                    values = [f"{number}/{i}" for i in range(rng.randint(1, 3))]
                    running.append([self.append(values), None])
                if running and rng.random() < 0.8:  # it happens, and is answered later
                    one = rng.choice(running)
                    if one[1] is None:
                        one[1] = len(log)
                        log += one[0].values
                if running and rng.random() < 0.5:
                    one = running.pop(rng.randrange(len(running)))
                    if one[1] is not None:
                        self.finish(*one)
                    elif rng.random() < 0.5:
                        self.finish(one[0], None, REJECTED)
                start = rng.randint(0, len(log))
                behind = rng.randint(start, len(log))
                self.read(start, log[start:behind], known=behind)
                self.read(start, log[start:start + rng.randint(0, 9)], end=len(log))

    def test_each_contradiction_is_caught_at_once(self):
        self.append(["a", "b"], 0)
        self.append(["c"], 2)
        self.caught("divergence", lambda: self.read(1, ["c"]))
        self.caught("order inversion", lambda: self.append(["d"], 2))
        self.caught("stale read", lambda: self.read(0, ["a"], end=2))
        self.read(0, ["a"], end=2, floor=2)  # it began before c was acknowledged
        self.caught("invented", lambda: self.read(3, ["nobody"]))

    def test_what_cannot_be_is_caught_at_once(self):
        refused = self.append(["no"], outcome=REJECTED)
        self.caught("rejected but stored", lambda: self.read(0, refused.values))
        self.setUp()
        self.append(["a"], 0)
        self.caught("duplicate", lambda: self.read(1, ["a"]))
        self.setUp()
        early = self.append(["early"])
        self.read(0, [], end=2)  # somebody has two places
        self.append(["late"])
        self.read(0, ["early"])
        self.caught("from the future", lambda: self.read(1, ["late"]))
        self.finish(early, 0)
        self.caught("sent twice", lambda: self.append(["late"]))


if __name__ == "__main__":
    unittest.main()
