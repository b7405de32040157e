"""What clients did and saw on one log, and whether a log that keeps its promises can have answered so.

Every value is sent once only. One clock (time.monotonic_ns) for all clients. The final read is complete, from offset 0.

Since offsets fix the order of appends, checking is linear: besides agreement on what stands where, each append must
have happened between its invocation and its answer, in the order of offsets. For each offset, `lo` is the latest time
at which it certainly had not been appended and `hi` the earliest at which it certainly had; the history is linearizable
exactly when every prefix maximum of lo lies before the suffix minimum of hi.
"""

import threading
import time
from dataclasses import dataclass, field

OK, REJECTED, UNKNOWN = "ok", "rejected", "unknown"
FOREVER = float("inf")


@dataclass
class Append:
    values: list
    inv: int
    resp: float = FOREVER
    outcome: str = UNKNOWN
    base: int = None
    expected: int = None  # of a conditional append
    next_offset: int = None  # what a 412 said


@dataclass
class Read:
    inv: int
    resp: float
    start: int
    values: list
    end: int = None  # the exact end at a moment within the read, when the node states it
    session: int = 0


@dataclass
class History:
    appends: list = field(default_factory=list)
    reads: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin_append(self, values, expected=None):
        """Noted before it is sent: what never comes back is unknown."""
        append = Append(list(values), now(), expected=expected)
        with self.lock:
            self.appends.append(append)
        return append

    def add_read(self, read):
        with self.lock:
            self.reads.append(read)

    def count(self, outcome):
        with self.lock:
            return sum(append.outcome == outcome for append in self.appends)


def now():
    return time.monotonic_ns()


class Checker:
    def __init__(self, history, final):
        self.appends = history.appends
        self.reads = history.reads
        self.final = list(final)
        self.found = []
        self.place = {}
        self.append_of = {}

    def problem(self, kind, text):
        if len(self.found) < 50:
            self.found.append((kind, text))

    def check(self):
        """(kind, sentence) of each violation; empty when the history is right."""
        self.check_values()
        self.check_acknowledged()
        self.check_batches()
        self.check_conditions()
        for read in self.reads:
            self.check_read(read)
        self.check_sessions()
        if not self.found:  # times mean nothing when the places are wrong already
            self.check_times()
        return self.found

    def check_values(self):
        """What is there was sent, was not refused, and is there once."""
        for append in self.appends:
            for value in append.values:
                if value in self.append_of:
                    self.problem("test is wrong", f"{value!r} was sent twice")
                self.append_of[value] = append
        for offset, value in enumerate(self.final):
            if value in self.place:
                self.problem("duplicate", f"{value!r} is at {self.place[value]} and at {offset}")
                continue
            self.place[value] = offset
            append = self.append_of.get(value)
            if append is None:
                self.problem("invented", f"{value!r} at {offset} was never sent")
            elif append.outcome == REJECTED:
                self.problem("rejected but stored", f"{value!r} at {offset} had been refused")

    def check_acknowledged(self):
        for append in self.appends:
            if append.outcome != OK:
                continue
            for i, value in enumerate(append.values):
                where = self.place.get(value)
                if where is None:
                    self.problem("lost", f"{value!r} was acknowledged at {append.base + i}")
                elif where != append.base + i:
                    self.problem("moved", f"{value!r} was acknowledged at {append.base + i} and is at {where}")

    def check_batches(self):
        for append in self.appends:
            places = [self.place.get(value) for value in append.values]
            if all(place is None for place in places):
                continue
            if places != list(range(places[0] or 0, (places[0] or 0) + len(places))):
                self.problem("torn batch", f"{append.values[0]!r}... stands at {places[:20]}")

    def check_conditions(self):
        for append in self.appends:
            if append.expected is None:
                continue
            where = self.place.get(append.values[0])
            if where is not None and where != append.expected:
                self.problem("condition ignored", f"{append.values[0]!r} was to be at {append.expected}, is at {where}")
            if append.next_offset is not None and append.next_offset == append.expected:
                self.problem("false 412", f"{append.values[0]!r}: the next offset was the expected {append.expected}")

    def check_read(self, read):
        for i, value in enumerate(read.values):
            offset = read.start + i
            if offset >= len(self.final):
                self.problem("shrunk", f"{value!r} was read at {offset}; the log ends at {len(self.final)}")
                break
            if self.final[offset] != value:
                self.problem("disagreement", f"read {value!r} at {offset}; at the end it holds {self.final[offset]!r}")
                break
        if read.end is None:
            return
        if read.end > len(self.final):
            self.problem("shrunk", f"a read said that the log ends at {read.end}; it ends at {len(self.final)}")
        if read.start + len(read.values) > read.end:
            self.problem("read past end", f"{len(read.values)} records from {read.start}, end {read.end}")
        if 0 < read.end < len(self.final):
            before = self.append_of.get(self.final[read.end - 1])
            if before is not None and before is self.append_of.get(self.final[read.end]):
                self.problem("torn batch", f"a read saw the end {read.end} inside a batch")

    def check_sessions(self):
        ends = {}
        for read in sorted((r for r in self.reads if r.end is not None), key=lambda r: r.inv):
            last = ends.get(read.session, 0)
            if read.end < last:
                self.problem("shrunk", f"the end went back from {last} to {read.end} for one client")
            ends[read.session] = max(last, read.end)

    def check_times(self):
        size = len(self.final)
        lo, hi = [(-FOREVER, "nothing")] * size, [(FOREVER, "nothing")] * size
        for append in self.appends:
            where = self.place.get(append.values[0])
            if where is None:
                continue
            for offset in range(where, where + len(append.values)):
                lo[offset] = max(lo[offset], (append.inv, "append sent"))
                if append.outcome == OK:
                    hi[offset] = min(hi[offset], (append.resp, "append acknowledged"))
        for read in self.reads:
            seen = max(read.start + len(read.values) if read.values else 0, read.end or 0)
            if seen:
                hi[seen - 1] = min(hi[seen - 1], (read.resp, "read answered"))
            if read.end is not None and read.end < size:
                lo[read.end] = max(lo[read.end], (read.inv, "read sent"))
        # A batch happens at one moment. Going through the log once each way is enough for that, since its
        # records stand together: the prefix maximum at its first record must include those of its last.
        for append in self.appends:
            where = self.place.get(append.values[0])
            if where is not None and len(append.values) > 1:
                whole = range(where, where + len(append.values))
                latest, earliest = max(lo[i] for i in whole), min(hi[i] for i in whole)
                for i in whole:
                    lo[i], hi[i] = latest, earliest
        smallest = [(FOREVER, "nothing")] * (size + 1)
        for offset in range(size - 1, -1, -1):
            smallest[offset] = min(hi[offset], smallest[offset + 1])
        largest = (-FOREVER, "nothing")
        for offset in range(size):
            largest = max(largest, lo[offset])
            if largest[0] >= smallest[offset][0]:
                name = VIOLATIONS.get((largest[1], smallest[offset][1]), "not linearizable")
                self.problem(name, f"at offset {offset}: {largest} but {smallest[offset]}")
                return


VIOLATIONS = {
    ("append sent", "append acknowledged"): "order inversion",
    ("read sent", "append acknowledged"): "stale read",
    ("read sent", "read answered"): "non-monotonic reads",
    ("append sent", "read answered"): "read from the future",
}


def check(history, final):
    return Checker(history, final).check()
