"""Clients that write and read at once, against a node that comes and goes, and note everything in a History."""

import json
import random
import threading

from .history import OK, REJECTED, UNKNOWN, Read, now
from .http import EventStream, Http, NotSent, Unknown

RECORDS = "/v1/logs/default/records"
TRIES = 5  # at an append with an idempotency key
CERTAINLY_NOT_DONE = {400, 401, 403, 404, 405, 406, 409, 412, 413, 414, 415, 422, 429, 431}


class Door:
    """Where the node is at present; clients wait here while it is down."""

    def __init__(self):
        self.condition = threading.Condition()
        self.address = None
        self.stopping = False

    def open(self, address):
        with self.condition:
            self.address = address
            self.condition.notify_all()

    def shut(self):
        with self.condition:
            self.address = None

    def stop(self):
        with self.condition:
            self.stopping = True
            self.condition.notify_all()

    def wait(self):
        """The node's address, None when the clients shall end."""
        with self.condition:
            self.condition.wait_for(lambda: self.stopping or self.address is not None, 120)
            return None if self.stopping else self.address


def outcome_of(response):
    """What an answer to an append says about it: OK, REJECTED or UNKNOWN."""
    if response.status in (200, 201):
        return OK
    if response.status in CERTAINLY_NOT_DONE:
        return REJECTED
    try:
        return REJECTED if response.json().get("outcome") == "rejected" else UNKNOWN
    except ValueError:
        return UNKNOWN


def append(http, history, values, expected=None, content_type="text/plain", timeout_ms=None, key=None, again=None):
    """One append, noted. Returns (Append, Response or None). `again` is an Append of the same key: this is one more try
    at it, and a refusal says nothing about the tries before."""
    headers = {"Content-Type": content_type}
    if key is not None:
        headers["Idempotency-Key"] = key
    if expected is not None:
        headers["Cairn-Expected-Offset"] = str(expected)
    if content_type == "text/plain":
        body = values[0].encode()
    elif content_type == "application/json":
        body = json.dumps(values[0]).encode()
    elif content_type == "application/x-ndjson":
        body = "".join(json.dumps(value) + "\n" for value in values).encode()
    else:
        body = json.dumps({"records": [{"value": value, "key": value[:20]} for value in values]}).encode()
    entry = again or history.begin_append(values, expected)
    try:
        target = RECORDS if timeout_ms is None else f"{RECORDS}?timeout_ms={timeout_ms}"
        response = http.request("POST", target, headers, body)
    except NotSent:
        entry.outcome = entry.outcome if again else REJECTED
        return entry, None
    except Unknown:
        return entry, None
    if again and outcome_of(response) != OK:
        return entry, response
    entry.resp, entry.outcome = now(), outcome_of(response)
    if entry.outcome == OK:
        receipt = response.json()
        entry.base = receipt["offset"]
        if receipt["count"] != len(values):
            raise AssertionError(f"{len(values)} records were sent, the receipt is {receipt}")
        history.acknowledged(entry)
    elif response.status == 412:
        entry.next_offset = response.json()["next_offset"]
    return entry, response


class Client:
    """A connection to wherever the node is at present."""

    def __init__(self, door):
        self.door = door
        self.http = None

    def ready(self):
        """The connection, None when the clients shall end."""
        address = self.door.wait()
        if address is None:
            return None
        if self.http is None or self.http.address != address:
            self.close()
            self.http = Http(address, 40)
        return self.http

    def close(self):
        if self.http is not None:
            self.http.close()


class Workload:
    """Threads of clients. An exception in one of them is kept in `errors`."""

    plain_ends_are_exact = True  # one node alone knows all that is committed
    timeout_ms = None  # of appends

    def __init__(self, history, seed=0, writers=4, ranges=2, streams=2, polls=1, value_bytes=60, batch_max=20):
        self.history = history
        self.door = Door()
        self.errors = []
        self.statuses = {}  # (method, status) -> count
        self.samples = {}  # (method, status) -> one answer
        self.lock = threading.Lock()
        self.streams = set()  # those that are open; nothing but their end wakes a client that follows one
        self.value_bytes = value_bytes
        self.batch_max = batch_max
        self.known_end = 0
        self.seen = {"range": 0, "stream": 0, "poll": 0}
        jobs = [(self.write, n) for n in range(writers)] + [(self.read_ranges, n) for n in range(ranges)]
        jobs += [(self.follow_stream, n) for n in range(streams)] + [(self.follow_polls, n) for n in range(polls)]
        self.threads = [threading.Thread(target=self.guarded, args=(job, number, random.Random(f"{seed}/{index}")),
                                         daemon=True) for index, (job, number) in enumerate(jobs)]

    def start(self, address):
        self.door.open(address)
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Ends all clients; fails with what went wrong in one of them."""
        self.door.stop()
        with self.lock:
            for stream in self.streams:
                stream.wake()
        for thread in self.threads:
            thread.join(90)
            if thread.is_alive():
                raise AssertionError("a client hangs: the node keeps it waiting beyond every limit")
        if self.errors:
            raise self.errors[0]

    def guarded(self, job, number, rng):
        client = self.make_client(job, number)
        try:
            job(client, number, rng)
        except BaseException as error:  # tidy-ok: it is raised again in stop()
            self.errors.append(error)
        finally:
            client.close()

    def make_client(self, job, number):
        return Client(self.door)

    def note(self, method, response):
        with self.lock:
            key = (method, response.status)
            self.statuses[key] = self.statuses.get(key, 0) + 1
            self.samples.setdefault(key, response)
            end = response.headers.get("cairn-next-offset")
            if end is not None:
                self.known_end = max(self.known_end, int(end))

    def write(self, client, number, rng):
        counter = 0
        while (http := client.ready()) is not None:
            kind = rng.choice(("text/plain", "application/json", "application/x-ndjson",
                               "application/vnd.cairn.records+json"))
            several = kind in ("application/x-ndjson", "application/vnd.cairn.records+json")
            values = []
            for _ in range(rng.randint(1, self.batch_max) if several else 1):
                values.append(f"w{number}/{counter}/" + "x" * rng.randint(0, self.value_bytes))
                counter += 1
            expected = self.known_end if rng.random() < 0.2 else None
            key = f"w{number}/{counter}" if expected is None and rng.random() < 0.4 else None
            entry = None
            for _ in range(TRIES if key else 1):
                entry, response = append(http, self.history, values, expected, kind, self.timeout_ms, key, entry)
                if response is not None:
                    self.note("POST", response)
                else:
                    self.lost(client, http.address)
                # Only what may be stored is sent again: there must be one record of it.
                if entry.outcome != UNKNOWN or (http := client.ready()) is None:
                    break

    def lost(self, client, address):
        """The node is gone: wait for it at the door, not in a tight loop."""
        door = client.door
        with door.condition:
            if door.address == address and not door.stopping:
                door.condition.wait(0.02)

    def range_read(self, http, session, target, start):
        """A read, noted as such: start is what the target says, None for `earliest`."""
        inv, floor = now(), self.history.floor()
        response = http.get(target, {"Accept": "application/json"})
        resp = now()
        self.note("GET", response)
        exact = self.plain_ends_are_exact or "consistency=linearizable" in target
        session = (session, http.connection)

        def noted(first, values, end):
            self.history.add_read(Read(inv, resp, first, values, end if exact else None, session, end, floor))
        if response.status == 404:  # behind the end, and it says which
            noted(0, [], response.json()["next_offset"])
        if response.status != 200:
            return None
        answer = response.json()
        offsets = [record["offset"] for record in answer["records"]]
        first = offsets[0] if offsets else (start or 0)
        if offsets != list(range(first, first + len(offsets))) or (start is not None and first != start):
            raise AssertionError(f"not dense from {start}: {offsets[:50]} for {target}")
        if answer["next_offset"] != first + len(offsets):
            raise AssertionError(f"next_offset {answer['next_offset']} after {first} + {len(offsets)}")
        noted(first, [record["value"] for record in answer["records"]], answer["end_offset"])
        return answer

    def read_ranges(self, client, number, rng):
        while (http := client.ready()) is not None:
            start = rng.choice((0, rng.randint(0, self.known_end), max(0, self.known_end - rng.randint(0, 30))))
            target = f"{RECORDS}?from={start}&limit={rng.choice((1, 10, 100, 500))}"
            if rng.random() < 0.5:
                target += "&consistency=linearizable"
            try:
                answer = self.range_read(http, 1000 + number, target, start)
                if answer:
                    self.seen["range"] += len(answer["records"])
            except (NotSent, Unknown):
                self.lost(client, http.address)

    def follow_polls(self, client, number, rng):
        position = 0
        while (http := client.ready()) is not None:
            try:
                answer = self.range_read(http, 2000 + number,
                                         f"{RECORDS}?from={position}&wait_ms={rng.choice((50, 500))}", position)
            except (NotSent, Unknown):
                self.lost(client, http.address)
                continue
            if answer:
                position = answer["next_offset"]
                self.seen["poll"] += len(answer["records"])

    def follow_stream(self, client, number, rng):
        """Server-sent events, resumed with Last-Event-ID wherever the connection breaks."""
        last = None
        while (address := client.door.wait()) is not None:
            try:
                target = f"{RECORDS}?from=earliest" if last is None else RECORDS
                with EventStream(address, target, 20, last) as stream:
                    if stream.status != 200:
                        raise Unknown(f"status {stream.status}")
                    with self.lock:
                        self.streams.add(stream)
                    try:
                        last = self.follow(stream, client.door, address, last, 3000 + number)
                    finally:
                        with self.lock:
                            self.streams.discard(stream)
            except (NotSent, Unknown, OSError):
                self.lost(client, address)

    def follow(self, stream, door, address, last, session):
        """Notes the records of one stream until it ends or the door shuts; the last offset seen."""
        begun = now()
        if door.stopping:
            return last
        try:
            for record in stream.records():
                expected = 0 if last is None else last + 1
                if record["offset"] != expected:
                    raise AssertionError(f"stream went from {last} to {record['offset']}")
                last = record["offset"]
                self.seen["stream"] += 1
                self.history.add_read(Read(begun, now(), last, [record["value"]], None, session))
                if door.stopping or door.address != address:
                    break
        except (Unknown, OSError):
            pass  # the connection has ended: what was seen was seen
        return last


def read_all(address, limit=10000):
    """Every record from offset 0 on, by range pages: the record objects."""
    records, position = [], 0
    with Http(address, 60) as http:
        while True:
            response = http.get(f"{RECORDS}?from={position}&limit={limit}&max_bytes=8388608",
                                {"Accept": "application/json"})
            if response.status != 200:
                raise AssertionError(f"reading all from {position}: {response}")
            answer = response.json()
            records += answer["records"]
            if answer["next_offset"] == position:
                if position != answer["end_offset"]:
                    raise AssertionError(f"no records at {position}, but the end is {answer['end_offset']}")
                return records
            position = answer["next_offset"]


def read_values(address):
    """All values from offset 0 on; fails unless offsets are dense."""
    records = read_all(address)
    for offset, record in enumerate(records):
        if record["offset"] != offset:
            raise AssertionError(f"record {offset} has the offset {record['offset']}")
    return [record["value"] for record in records]
