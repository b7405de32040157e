#!/usr/bin/env python3
"""Checks what clang-format and the compiler do not.

usage: check_tidy.py [--self-test] [ROOT]

Sizes (files, functions, lines), white space, leftovers, banned calls, absolute paths of one machine, host names of
package registries, and tests on disk that no CMakeLists.txt names. A line that has a good reason says so at its end
or in the line before: `tidy-ok: <reason>`.

Prints one line per problem and exits 1 when there is any; files over 400 lines are listed as warnings.
"""

import re
import sys
import tempfile
from pathlib import Path

FILE_LINES_MAX = 600
FILE_LINES_WARN = 400
FUNCTION_LINES_MAX = 70
TEST_FUNCTION_LINES_MAX = 120
COLUMNS_MAX = {".hpp": 100, ".cpp": 100, ".cmake": 110, ".txt": 110, ".py": 120, ".sh": 120, "": 120}

TOPS = ["proto", "storage", "actors", "net", "apps", "tests", "bench", "deploy", "docs", "scripts", "cmake",
        ".ci", ".githooks"]
SKIP = re.compile(r"(^|/)(__pycache__|node_modules|build)/|^tests/data/|^tests/fuzz/corpus/|^net/ui/vendor/")
CODE = {".hpp", ".cpp"}
TEXT = CODE | {".py", ".sh", ".cmake", ".txt", ".md", ".json", ".toml", ".yml", ".yaml", ".proto", ".js", ".html",
               ".css", ""}
WAIVER = re.compile(r"tidy-ok: \S+")

# Names that are put together here, so that this file passes its own check.
REGISTRIES = [".".join(parts) for parts in (
    ("deb", "debian", "org"), ("snapshot", "debian", "org"), ("security", "debian", "org"), ("pypi", "org"),
    ("files", "pythonhosted", "org"), ("registry", "npmjs", "org"), ("proxy", "golang", "org"), ("crates", "io"),
    ("docker", "io"), ("ghcr", "io"), ("quay", "io"), ("archive", "ubuntu", "com"))]
REGISTRY = re.compile(r"\b(" + "|".join(re.escape(name) for name in REGISTRIES) + r")\b")
# A path of one machine; `$HOME`, `~` and URLs of our API are fine.
MACHINE_PATH = re.compile(r"(?<![\w.$}~*-])/(?:" + "|".join(("home", "root", "work", "Users", "mnt")) + r")/[\w.]")
LEFTOVER = re.compile(r"\b(FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")

EVERYWHERE, TESTS, PRODUCT, ASYNC = "everywhere", "tests", "product", "actors and net"
BANNED = [
    (EVERYWHERE, r"(?<!\w)assert\s*\(", "raw assert(): use CAIRN_CHECK or CAIRN_DCHECK"),
    (EVERYWHERE, r"\busing\s+namespace\s+std\s*;", "using namespace std"),
    (EVERYWHERE, r"\bstd::endl\b", "std::endl flushes: use '\\n'"),
    (EVERYWHERE, r"(?<![\w:.>])(?:std::)?(?:strcpy|strcat|sprintf|strtok|gets|atoi|atol|atoll)\s*\(",
     "unbounded or unchecked C call: use fmt, std::from_chars, std::string_view"),
    (EVERYWHERE, r"(?<![\w:.>])(?:std::)?s?rand\s*\(\s*\)", "rand(): inject a seeded generator"),
    (PRODUCT, r"\b(?:std::)?stou?(?:i|l|ll|d|f)\s*\(", "std::stoi and friends throw: use std::from_chars"),
    (TESTS, r"\bsleep_(?:for|until)\s*\(|(?<![\w:.>])(?:::)?u?sleep\s*\(",
     "a test that sleeps is slow or flaky: wait for the event, or use virtual time"),
    (ASYNC, r"\bsleep_(?:for|until)\s*\(|(?<![\w:.>])(?:::)?u?sleep\s*\(",
     "nothing here may block: use a timed message or an Asio timer"),
    (PRODUCT, r"\bstd::c(?:out|err|log)\b|(?<![\w:.>])(?:std::)?f?printf\s*\(",
     "only apps/ writes to the terminal; the rest logs or returns an error"),
]
BANNED = [(where, re.compile(pattern), why) for where, pattern, why in BANNED]


def applies(where, path):
    return {EVERYWHERE: True,
            TESTS: path.startswith("tests/"),
            ASYNC: path.startswith(("actors/", "net/")),
            PRODUCT: path.startswith(("storage/", "proto/", "actors/", "net/"))}[where]


def files_of(root):
    for file in sorted(root.iterdir()):
        if file.is_file() and (file.suffix in TEXT or file.name.startswith(".clang")) and file.name != ".git":
            yield file
    for top in TOPS:
        for file in sorted((root / top).rglob("*")):
            path = file.relative_to(root).as_posix()
            if file.is_file() and not file.is_symlink() and file.suffix in TEXT and not SKIP.search(path):
                yield file


def blank_out(text):
    """C++ without comments and literals: same lines, same columns, blanks instead."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
        re.DOTALL)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def functions(code):
    """(first line, last line) of each function body in blanked code, by following the braces."""
    stack, head, line = [], [], 1
    for char in code:
        if char == "\n":
            line += 1
        if char == "{":
            inside = stack[-1][0] if stack else "scope"
            text = "".join(head).strip()
            kind = "block"
            if inside == "scope":
                if re.search(r"\b(?:namespace|extern)\b", text):
                    kind = "scope"
                elif re.search(r"\b(?:class|struct|union|enum)\b", text) and not text.endswith(")") \
                        and not re.search(r"\)\s*(?:const|noexcept|override|final|->.*)?$", text):
                    kind = "scope"
                elif "(" in text and not re.search(r"=\s*$", text):
                    kind = "function"
            stack.append((kind, line))
            head = []
        elif char == "}":
            if stack:
                kind, first = stack.pop()
                if kind == "function":
                    yield first, line
            head = []
        elif char == ";":
            head = []
        else:
            head.append(char)


def check_code(path, text):
    blanked = blank_out(text)
    lines = text.splitlines()
    for number, line in enumerate(blanked.splitlines(), 1):
        for where, pattern, why in BANNED:
            if applies(where, path) and pattern.search(line) and not waived(lines, number):
                yield number, why
    limit = TEST_FUNCTION_LINES_MAX if path.startswith("tests/") else FUNCTION_LINES_MAX
    for first, last in functions(blanked):
        if last - first + 1 > limit and not waived(lines, first):
            yield first, f"function of {last - first + 1} lines, at most {limit}: split it"
    if path.endswith(".hpp") and "#pragma once" not in text:
        yield 1, "header without #pragma once"


def waived(lines, number):
    return any(WAIVER.search(lines[i]) for i in (number - 1, number - 2) if 0 <= i < len(lines))


def check_text(path, suffix, text):
    lines = text.split("\n")
    if text and lines[-1] != "":
        yield len(lines), "no newline at the end of the file"
    columns = COLUMNS_MAX.get(suffix)
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        if waived(lines, number):
            continue
        if "\t" in line:
            yield number, "tab"
        if columns and len(line) > columns and max(map(len, line.split())) < columns * 3 // 4:
            yield number, f"{len(line)} columns, at most {columns}"
        if LEFTOVER.search(line):
            yield number, "leftover: do it now, or make an issue of it"
        if REGISTRY.search(line):
            yield number, "host name of a package registry: ask the machine's own configuration"
        if MACHINE_PATH.search(line):
            yield number, "absolute path of one machine"


def check_registered(root):
    for file in sorted((root / "tests").rglob("*_test.*")):
        if file.suffix not in (".cpp", ".py", ".sh") or SKIP.search(file.relative_to(root).as_posix()):
            continue
        named = False
        folder = file.parent
        while not named and folder != root.parent:
            cmake = folder / "CMakeLists.txt"
            named = cmake.is_file() and file.name in cmake.read_text()
            folder = folder.parent
        if not named:
            yield f"{file.relative_to(root).as_posix()}:1: no CMakeLists.txt names this test"


def check(root):
    problems, warnings = [], []
    for file in files_of(root):
        path = file.relative_to(root).as_posix()
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            problems.append(f"{path}:1: not UTF-8 text")
            continue
        found = list(check_text(path, file.suffix, text))
        if file.suffix in CODE:
            found += check_code(path, text)
        if file.suffix in CODE | {".py", ".sh"}:
            count = text.count("\n")
            if count > FILE_LINES_MAX:
                found.append((1, f"file of {count} lines, at most {FILE_LINES_MAX}: split it"))
            elif count > FILE_LINES_WARN:
                warnings.append(f"{path}: {count} lines (over {FILE_LINES_WARN})")
        problems += [f"{path}:{number}: {why}" for number, why in sorted(found)]
    return problems + list(check_registered(root)), warnings


def planted():
    """(file, text, part of the expected complaint or None)"""
    body = "int f(int x) const noexcept {\n" + "  g();\n" * 80 + "}\n"
    slash = "/"
    return [
        ("storage/good.hpp", "#pragma once\nclass b {\n" + "  void f(); // assert(x)\n" * 100 + "};\n", None),
        ("storage/good.cpp", 'auto s = "assert(1) std::cout";\nstatic_assert(true);\n', None),
        ("storage/waived.cpp", "// tidy-ok: shown on purpose\nassert(x);\n", None),
        ("storage/no_pragma.hpp", "int x;\n", "#pragma once"),
        ("storage/long_file.cpp", "\n" * 601, "file of 601 lines"),
        ("storage/long_function.cpp", "namespace a {\n" + body + "}\n", "function of 82 lines"),
        ("storage/long_method.cpp", "struct a final : b<c> {\n" + body + "};\n", "function of 82 lines"),
        ("tests/unit/long_case.cpp", 'TEST_CASE("x") {\n' + "  g();\n" * 130 + "}\n", "function of 132 lines"),
        ("net/long_line.cpp", "//" + " xx" * 33 + "\n", "101 columns"),
        ("net/unbreakable.cpp", "// " + "x" * 98 + "\n", None),
        ("net/tab.cpp", "\tint x;\n", "tab"),
        ("net/trailing.cpp", "int x; \n", "white space at the end"),
        ("net/no_newline.cpp", "int x;", "no newline"),
        ("net/leftover.cpp", "// FIX" + "ME later\n", "leftover"),
        ("net/assert.cpp", "assert(x);\n", "raw assert"),
        ("net/cout.cpp", "std::cout << 1;\n", "only apps/"),
        ("apps/cout.cpp", "std::cout << 1;\n", None),
        ("actors/sleep.cpp", "std::this_thread::sleep_for(1s);\n", "nothing here may block"),
        ("tests/unit/sleep.cpp", "std::this_thread::sleep_for(1s);\n", "a test that sleeps"),
        ("net/atoi.cpp", "int x = atoi(s);\n", "C call"),
        ("net/stoi.cpp", "int x = std::stoi(s);\n", "from_chars"),
        ("scripts/path.sh", "cd " + slash + "home/joe\n", "absolute path"),
        ("scripts/host.sh", "curl https://" + REGISTRIES[0] + "/debian\n", "host name"),
        ("docs/page.md", "See `build/release/bin/cairnd` and http://localhost/home/x.\n", None),
        ("tests/unit/CMakeLists.txt", "cairn_test(a SRCS named_test.cpp)\n", None),
        ("tests/unit/named_test.cpp", "int x;\n", None),
        ("tests/unit/forgotten_test.cpp", "int x;\n", "no CMakeLists.txt names"),
    ]


def self_test():
    """Each rule is broken once in a small tree, and must be seen; nothing else may be."""
    failures, cases = [], planted()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path, text, _ in cases:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        problems, _ = check(root)
    for path, _, expected in cases:
        mine = [p for p in problems if p.startswith(path + ":")]
        if expected is None and mine:
            failures.append(f"false alarm: {mine[0]}")
        if expected is not None and (len(mine) != 1 or expected not in mine[0]):
            failures.append(f"{path}: expected one '{expected}', got {mine or 'nothing'}")
    return failures, len(cases)


def main(arguments):
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if arguments and arguments[0] == "--self-test":
        failures, count = self_test()
        print("\n".join(failures) or f"check_tidy: {count} planted files, all judged rightly")
        return 1 if failures else 0
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    problems, warnings = check(root)
    for warning in warnings:
        print(f"warning: {warning}")
    if problems:
        print("\n".join(problems))
        print(f"check_tidy: {len(problems)} problems", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
