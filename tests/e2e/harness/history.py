"""What clients did and saw on one log, and whether a log that keeps its promises can have answered so.

Every value is sent once only. One clock (time.monotonic_ns) for all clients. The final read is complete, from offset 0;
with several replicas there is one of each, taken when all is well again.

Linearizable reads state the exact end (`end`). Plain ones may be behind the others: they state an end that the node
knew by then (`known`), and that much had certainly happened. What any read has shown stays.

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


@dataclass(slots=True)
class Append:
    values: list
    inv: int
    resp: float = FOREVER
    outcome: str = UNKNOWN
    base: int = None
    expected: int = None  # of a conditional append
    next_offset: int = None  # what a 412 said
    floor: int = 0  # of the online checker, when it began


@dataclass(slots=True)
class Read:
    inv: int
    resp: float
    start: int
    values: list
    end: int = None  # the exact end at a moment within the read, when the node states it
    session: object = 0
    known: int = None  # an end that the node knew at that time; it may have been further
    floor: int = 0  # of the online checker, when it began

    def seen(self):
        """How long the log certainly was when the read was answered."""
        return max(self.start + len(self.values) if self.values else 0, self.end or 0, self.known or 0)


@dataclass
class History:
    appends: list = field(default_factory=list)
    reads: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    common: dict = field(default_factory=dict)  # one copy of each value in memory, not one of each read
    online: object = None  # an OnlineChecker that is told of everything

    def begin_append(self, values, expected=None):
        """Noted before it is sent: what never comes back is unknown."""
        append = Append(list(values), now(), expected=expected)
        with self.lock:
            self.appends.append(append)
            for value in append.values:
                self.common[value] = value
        if self.online:
            self.online.began(append)
        return append

    def acknowledged(self, append):
        """Its outcome is OK and its base is set."""
        if self.online:
            self.online.acknowledged(append)

    def floor(self):
        """For a read that is about to be sent."""
        return self.online.present_floor() if self.online else 0

    def add_read(self, read):
        with self.lock:
            read.values = [self.common.get(value, value) for value in read.values]
            self.reads.append(read)
        if self.online:
            self.online.was_read(read)

    def count(self, outcome):
        with self.lock:
            return sum(append.outcome == outcome for append in self.appends)


def now():
    return time.monotonic_ns()


class Checker:
    def __init__(self, history, final, replicas=None):
        self.appends = history.appends
        self.reads = history.reads
        self.final = list(final)
        self.replicas = replicas or {}
        self.found = []
        self.place = {}
        self.append_of = {}

    def problem(self, kind, text):
        if len(self.found) < 50:
            self.found.append((kind, text))

    def check(self):
        """(kind, sentence) of each violation; empty when the history is right."""
        self.check_replicas()
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

    def check_replicas(self):
        """Every node holds the same in the end."""
        for name, values in self.replicas.items():
            for offset, (here, there) in enumerate(zip(self.final, values)):
                if here != there:
                    self.problem("divergence", f"at {offset} {name} holds {there!r}, others {here!r}")
                    break
            else:
                if len(values) != len(self.final):
                    self.problem("divergence", f"{name} ends at {len(values)}, others at {len(self.final)}")

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
        if (read.known or 0) > len(self.final):
            self.problem("shrunk", f"a read knew the end {read.known}; the log ends at {len(self.final)}")
        if read.end is None and read.known is not None:
            self.check_end(read, read.known)
        elif read.end is not None:
            self.check_exact_end(read)

    def check_exact_end(self, read):
        if read.end > len(self.final):
            self.problem("shrunk", f"a read said that the log ends at {read.end}; it ends at {len(self.final)}")
        self.check_end(read, read.end)

    def check_end(self, read, end):
        if read.values and read.start + len(read.values) > end:
            self.problem("read past end", f"{len(read.values)} records from {read.start}, end {end}")
        if 0 < end < len(self.final):
            before = self.append_of.get(self.final[end - 1])
            if before is not None and before is self.append_of.get(self.final[end]):
                self.problem("torn batch", f"a read saw the end {end} inside a batch")

    def check_sessions(self):
        """A session talks to one life of one node, one request after the other: no end there goes back."""
        ends = {}
        stated = [(r, r.known if r.end is None else r.end) for r in self.reads]
        for read, end in sorted(((r, e) for r, e in stated if e is not None), key=lambda pair: pair[0].inv):
            last = ends.get(read.session, 0)
            if end < last:
                self.problem("shrunk", f"the end went back from {last} to {end} for one client")
            ends[read.session] = max(last, end)

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
            seen = read.seen()
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


def check(history, final, replicas=None):
    """Violations as (kind, sentence). `replicas`: what each node held in the end, by its name."""
    return Checker(history, final, replicas).check()
