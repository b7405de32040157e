#!/usr/bin/env python3
"""Checks that docs/known_bugs.md names tests that exist.

usage: check_known_bugs.py [ROOT]

Every bug from 1 to 61 has a line; each file that a line names is there, with the tests that it names, and so is each
script. Prints one line per problem and exits 1 when there is any.
"""

import re
import sys
from pathlib import Path

BUGS = 61
PLANTED = "sim/planted_bug_test.cpp"


def problems(root):
    numbers = []
    for line in (root / "docs/known_bugs.md").read_text().splitlines():
        row = re.match(r"\| (\d+) \| [^|]+ \| (.+) \|$", line)
        if not row:
            continue
        number = int(row[1])
        numbers.append(number)
        tests, _, _remark = row[2].partition(". *")
        for part in tests.split("; "):
            yield from problems_of(root / "tests", number, part)
    if numbers != list(range(1, BUGS + 1)):
        yield f"the lines are not those of bugs 1 to {BUGS}: {numbers}"


def problems_of(tests, number, part):
    if part.startswith("script"):
        for name in re.findall(r"`(\w+)`", part):
            if not (tests / "data/raft" / f"{name}.txt").is_file():
                yield f"bug {number}: there is no script {name}"
        return
    if part.startswith("planted"):
        if f'"planted bug {number}: ' not in (tests / PLANTED).read_text():
            yield f"bug {number}: not planted in {PLANTED}"
        return
    file = re.match(r"`([\w/.]+)`", part)
    if not file:
        if not part.startswith("simulation"):
            yield f"bug {number}: \"{part}\" is no test"
        return
    path = tests / file[1]
    if not path.is_file():
        yield f"bug {number}: there is no {file[1]}"
        return
    text = path.read_text()
    for name in re.findall(r'"([^"]+)"', part) + re.findall(r"`(test_\w+)`", part):
        if name not in text:
            yield f"bug {number}: {file[1]} has no test \"{name}\""


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(problems(root))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
