"""Appends that say who they are: under an idempotency key, or of a producer."""

from .http import NotSent, Unknown
from .workload import RECORDS

PLACE = ("offset", "count", "timestamp", "term", "index")


def key(name):
    return {"Idempotency-Key": name}


def producer(name, epoch, seq):
    return {"Cairn-Producer-Id": name, "Cairn-Producer-Epoch": str(epoch), "Cairn-Producer-Seq": str(seq)}


def append_as(node, identity, text, timeout_s=30, timeout_ms=None, **more):
    """One append of one text record: its Response, or None when there was no answer."""
    target = RECORDS if timeout_ms is None else f"{RECORDS}?timeout_ms={timeout_ms}"
    with node.client(timeout_s) as client:
        try:
            return client.request("POST", target, {"Content-Type": "text/plain", **identity, **more}, text.encode())
        except (NotSent, Unknown):
            return None


def place_of(response):
    """Where a receipt says the records are."""
    receipt = response.json()
    return {name: receipt[name] for name in PLACE}


def is_replay(response):
    return response.headers.get("cairn-replayed") == "true"
