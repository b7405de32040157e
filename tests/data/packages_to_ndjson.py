#!/usr/bin/env python3
"""Turns Debian's package index into NDJSON, one package a record.

usage: apt-cache dumpavail | packages_to_ndjson.py > packages.ndjson

Each stanza becomes one object with its fields in their order, as strings; a folded field keeps its line ends.
The same input gives the same bytes. Input that is no package index ends with exit code 1 and the line's number.
"""

import json
import sys

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def fail(number, why):
    sys.exit(f"packages_to_ndjson: line {number}: {why}")


def stanzas(lines):
    fields, name = {}, None
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        if not line:
            if fields:
                yield fields
            fields, name = {}, None
        elif line[0] in " \t":
            if name is None:
                fail(number, "a continuation without a field")
            fields[name] += "\n" + line
        else:
            name, colon, value = line.partition(":")
            if not colon or name in fields:
                fail(number, "a field comes twice" if colon else "no field")
            fields[name] = value.strip()
    if fields:
        yield fields


def main():
    sys.stdin.reconfigure(encoding="utf-8", errors="replace", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        for fields in stanzas(sys.stdin):
            sys.stdout.write(to_json(fields) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has had enough.
        sys.stderr.close()


if __name__ == "__main__":
    main()
