#!/usr/bin/env python3
"""The checker of histories: right ones pass, each way of being wrong is caught, and on small ones it agrees with
trying every order."""

import copy
import itertools
import random
import unittest

from harness.history import OK, REJECTED, UNKNOWN, Append, History, Read, check


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
            start = rng.randint(0, len(log))
            seen = log[start:start + rng.randint(0, 5)]
            end = len(log) if rng.random() < 0.7 else None
            pending.append(("read", Read(inv, 0, start, seen, end, session=number), None))
        tick()
    while pending:
        finish(pending.pop())
    return history, log


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


MUTATIONS = [lose, double, swap, invent, refuse, tear, forget, foresee, invert, other_value, cut, condition]


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
            elif (what.end is None or what.end == length) and (
                    not what.values or what.start + len(what.values) <= length):
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


if __name__ == "__main__":
    unittest.main()
