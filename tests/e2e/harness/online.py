"""The checker of histories that looks on while they happen: constant work for each answer, for long soaks.

It knows less than history.check() does at the end, and says at once what it sees: an answer that contradicts an
earlier one raises in the client that got it. `floor` is how long the log certainly is: what any finished operation has
shown or was promised. Whoever begins after that may not be told of less.
"""

import threading

from .history import REJECTED, now


class Violation(AssertionError):
    pass


class OnlineChecker:
    def __init__(self):
        self.lock = threading.Lock()
        self.floor = 0
        self.sent = {}  # value -> its append
        self.values = []  # by offset; None: known to be there, not seen yet
        self.first_known = []  # by offset: when the log was first known to be longer
        self.places = {}  # value -> offset

    def present_floor(self):
        """To be asked before a request is sent."""
        with self.lock:
            return self.floor

    def began(self, append):
        with self.lock:
            append.floor = self.floor
            for value in append.values:
                if value in self.sent:
                    raise Violation(f"the test is wrong: {value!r} was sent twice")
                self.sent[value] = append

    def acknowledged(self, append):
        with self.lock:
            if append.base < append.floor:
                raise Violation(f"order inversion: {append.values[0]!r} was put at {append.base}, but the log was "
                                f"known to have {append.floor} records before it was sent")
            self._grow(append.base + len(append.values))
            for i, value in enumerate(append.values):
                self._place(append.base + i, value)

    def was_read(self, read):
        with self.lock:
            if read.end is not None and read.end < read.floor:
                raise Violation(f"stale read: it says that the log ends at {read.end}, but it was known to have "
                                f"{read.floor} records before the read began")
            self._grow(read.seen())
            for i, value in enumerate(read.values):
                self._place(read.start + i, value)

    def _grow(self, length):
        self.floor = max(self.floor, length)
        missing = length - len(self.values)
        if missing > 0:
            self.values += [None] * missing
            self.first_known += [now()] * missing

    def _place(self, offset, value):
        known = self.values[offset]
        if known is not None:
            if known != value:
                raise Violation(f"divergence: at {offset} there is {value!r}, and there was {known!r}")
            return
        append = self.sent.get(value)
        if append is None:
            raise Violation(f"invented: {value!r} at {offset} was never sent")
        if append.outcome == REJECTED:
            raise Violation(f"rejected but stored: {value!r} at {offset}")
        if value in self.places:
            raise Violation(f"duplicate: {value!r} is at {self.places[value]} and at {offset}")
        if append.inv > self.first_known[offset]:
            raise Violation(f"from the future: {value!r} stands at {offset}, which was taken before it was sent")
        self.values[offset] = value
        self.places[value] = offset
