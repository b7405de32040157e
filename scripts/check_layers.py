#!/usr/bin/env python3
"""Checks who includes whom.

usage: check_layers.py [--self-test] [ROOT]

The rules are the tables OURS and LIBRARIES below: for each layer, the folders of ours and the libraries from
outside that its files may include. The link tests (cmake/cairn_library.cmake) prove the same for symbols; this
script also sees what is header-only, and what compiles only because the machine has the header anyway.

Prints one line per violation and exits 1 when there is any.
"""

import re
import sys
import tempfile
from pathlib import Path

# Layers, most specific first. A file belongs to the first one whose prefix its path has.
# Each: prefix -> folders (or files) of ours that it may include besides itself.
OURS = {
    "storage/base/": [],
    "storage/": ["storage/base/"],
    "proto/": ["storage/base/"],
    "actors/raft/": ["storage/base/"],
    "actors/swim/": ["storage/base/"],
    "actors/": ["storage/", "proto/", "actors/raft/", "actors/swim/"],
    # net talks to actors and storage through net/backend.hpp alone.
    "net/": ["storage/base/", "proto/"],
    # The simulator stands on the simulated disk of the tests.
    "apps/sim/": ["storage/", "proto/", "actors/", "tests/support/sim_"],
    "apps/": ["storage/", "proto/", "actors/", "net/", "apps/sim/"],
    "tests/": ["storage/", "proto/", "actors/", "net/", "apps/"],
    "bench/": ["storage/", "proto/", "actors/", "net/", "apps/", "tests/support/"],
}

# Libraries from outside, by the beginning of the include.
LIBRARIES = {
    "caf": ["caf/"],
    "boost": ["boost/"],
    "protobuf": ["google/"],
    "grpc": ["grpc/", "grpcpp/"],
    "openssl": ["openssl/"],
    "simdjson": ["simdjson"],
    "fmt": ["fmt/"],
    "spdlog": ["spdlog/"],
    "toml": ["toml++/"],
    "cli11": ["CLI/"],
    "libedit": ["histedit.h"],
    "xxhash": ["xxhash.h", "xxh3.h", "xxh_x86dispatch.h"],
    "zstd": ["zstd"],
    "prometheus": ["prometheus/"],
    "doctest": ["doctest/"],
    "rapidcheck": ["rapidcheck"],
    "benchmark": ["benchmark/"],
    # Kernel and C library beyond the C++ standard.
    "posix": ["sys/", "linux/", "netinet/", "arpa/", "net/if", "asm/", "unistd.h", "fcntl.h", "poll.h", "pthread.h",
              "signal.h", "dirent.h", "endian.h", "byteswap.h", "netdb.h", "termios.h", "spawn.h", "dlfcn.h",
              "sched.h", "ftw.h", "glob.h", "pwd.h", "mntent.h", "execinfo.h", "malloc.h", "limits.h", "ifaddrs.h",
              "langinfo.h",
              "stdlib.h", "string.h", "time.h", "errno.h", "stdio.h", "stdint.h", "immintrin.h", "getopt.h"],
}
EVERYTHING = list(LIBRARIES)

ALLOWED = {
    "storage/base/": ["fmt", "xxhash"],
    "storage/": ["fmt", "xxhash", "zstd", "posix"],
    "proto/": ["fmt", "protobuf"],
    "actors/raft/": ["fmt"],
    "actors/swim/": ["fmt"],
    "actors/": ["caf", "fmt", "spdlog", "posix"],
    "net/": ["boost", "openssl", "simdjson", "fmt", "spdlog", "protobuf", "grpc", "prometheus", "posix"],
    "apps/sim/": ["fmt", "spdlog"],
    "apps/": [x for x in EVERYTHING if x not in ("doctest", "rapidcheck", "benchmark")],
    "tests/": EVERYTHING,
    "bench/": EVERYTHING,
}

# The cores are pure: no clock, thread, file, lock or random device.
PURE = ["actors/raft/", "actors/swim/"]
PURE_HEADERS = {"thread", "mutex", "shared_mutex", "condition_variable", "fstream", "iostream", "filesystem", "future",
                "atomic", "cstdio", "semaphore", "stop_token"}
PURE_OURS = {"storage/base/log_line.hpp"}
PURE_CALLS = re.compile(r"\bnow\s*\(|\brandom_device\b|\bgetenv\s*\(|\bsystem_clock\b|\bsteady_clock\b")

SUFFIXES = {".hpp", ".h", ".cpp", ".cc", ".ipp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
GENERATED = re.compile(r"\.pb\.h$")


def layer_of(path):
    return next((layer for layer in OURS if path.startswith(layer)), None)


def library_of(header):
    for library, starts in LIBRARIES.items():
        if any(header.startswith(s) for s in starts):
            return library
    return None


def standard(header):
    return "/" not in header and "." not in header


def check_include(root, path, layer, quote, header):
    """The reason why `path` must not include `header`, or None."""
    target = layer_of(header)
    if GENERATED.search(header) and not header.startswith("google/"):
        target = "proto/"
    if target is not None:
        if quote == "<":
            return "our own headers are included with quotes"
        if not GENERATED.search(header) and not (root / header).is_file():
            return "no such file from the root of the repository"
        if layer in PURE and header in PURE_OURS:
            return f"{layer} is pure: it gives out notices, and others log"
        same = target == layer
        allowed = OURS[layer]
        if same or target in allowed or any(header.startswith(a) for a in allowed):
            return None
        return f"{layer} must not include {target}"
    if standard(header):
        if layer in PURE and header in PURE_HEADERS:
            return f"{layer} is pure: no clock, thread, file or lock"
        return None
    library = library_of(header)
    if library is None:
        if quote == '"':
            return "quoted includes are whole paths from the root of the repository"
        return "unknown library: teach LIBRARIES in scripts/check_layers.py"
    if library not in ALLOWED[layer]:
        return f"{layer} must not use {library}"
    return None


def check(root):
    problems = []
    for top in sorted({layer.split("/")[0] for layer in OURS}):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in SUFFIXES or not file.is_file():
                continue
            path = file.relative_to(root).as_posix()
            layer = layer_of(path)
            for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                found = INCLUDE.match(line)
                if found:
                    reason = check_include(root, path, layer, *found.groups())
                    if reason:
                        problems.append(f"{path}:{number}: {found.group(2)}: {reason}")
                elif layer in PURE and PURE_CALLS.search(line.split("//")[0]):
                    problems.append(f"{path}:{number}: {layer} is pure: {line.strip()}")
    return problems


# (file, text, part of the expected complaint or None)
SELF_TEST = [
    ("storage/base/ids.hpp", "#include <cstdint>\n#include <fmt/format.h>\n", None),
    ("storage/base/bad.hpp", '#include "storage/env.hpp"\n', "storage/base/ must not include storage/"),
    ("storage/env.hpp", '#include "storage/base/ids.hpp"\n#include <sys/mman.h>\n', None),
    ("storage/bad_caf.cpp", "#include <caf/all.hpp>\n", "storage/ must not use caf"),
    ("storage/bad_actor.cpp", '#include "actors/log_actor.hpp"\n', "storage/ must not include actors/"),
    ("storage/bad_proto.cpp", '#include "proto/cairn/v1/record.pb.h"\n', "storage/ must not include proto/"),
    ("actors/log_actor.hpp", '#include "storage/env.hpp"\n#include <caf/all.hpp>\n', None),
    ("actors/bad_boost.cpp", "  #  include <boost/asio.hpp>\n", "actors/ must not use boost"),
    ("actors/raft/core.cpp", '#include "storage/base/ids.hpp"\n#include <vector>\n', None),
    ("actors/raft/bad_storage.cpp", '#include "storage/env.hpp"\n', "actors/raft/ must not include storage/"),
    ("actors/raft/bad_thread.cpp", "#include <mutex>\n", "is pure"),
    ("actors/raft/bad_log.cpp", '#include "storage/base/log_line.hpp"\n', "is pure"),
    ("storage/base/log_line.hpp", "#include <string>\n", None),
    ("actors/raft/bad_clock.cpp", "auto t = std::chrono::steady_clock::now();\n", "is pure"),
    ("net/backend.hpp", '#include "storage/base/ids.hpp"\n', None),
    ("net/session.cpp", '#include "net/backend.hpp"\n#include <boost/asio.hpp>\n', None),
    ("net/bad_storage.cpp", '#include "storage/env.hpp"\n', "net/ must not include storage/"),
    ("net/bad_actor.cpp", '#include "actors/log_actor.hpp"\n', "net/ must not include actors/"),
    ("net/bad_caf.cpp", "#include <caf/fwd.hpp>\n", "net/ must not use caf"),
    ("net/bad_relative.cpp", '#include "backend.hpp"\n', "whole paths"),
    ("net/bad_missing.cpp", '#include "net/nothing.hpp"\n', "no such file"),
    ("net/bad_angle.cpp", "#include <net/backend.hpp>\n", "with quotes"),
    ("net/bad_unknown.cpp", "#include <curl/curl.h>\n", "unknown library"),
    ("apps/backend.cpp", '#include "net/backend.hpp"\n#include "actors/log_actor.hpp"\n', None),
    ("apps/bad_test.cpp", '#include "tests/support/fake.hpp"\n', "apps/ must not include tests/"),
    ("tests/support/sim_env.hpp", '#include "storage/env.hpp"\n', None),
    ("apps/sim/world.hpp", '#include "tests/support/sim_env.hpp"\n', None),
    ("apps/sim/bad_fake.hpp", '#include "tests/support/fake.hpp"\n', "apps/sim/ must not include tests/"),
    ("apps/sim/bad_net.hpp", '#include "net/backend.hpp"\n', "apps/sim/ must not include net/"),
    ("tests/support/fake.hpp", '#include "storage/env.hpp"\n#include <doctest/doctest.h>\n', None),
]


def self_test():
    """Each rule is broken once in a small tree, and must be seen; nothing else may be."""
    failures = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path, text, _ in SELF_TEST:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        problems = check(root)
        for path, _, expected in SELF_TEST:
            mine = [p for p in problems if p.startswith(path + ":")]
            if expected is None and mine:
                failures.append(f"false alarm: {mine[0]}")
            if expected is not None and not any(expected in p for p in mine):
                failures.append(f"{path}: expected '{expected}', got {mine or 'nothing'}")
    return failures


def main(arguments):
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if arguments and arguments[0] == "--self-test":
        failures = self_test()
        print("\n".join(failures) or f"check_layers: {len(SELF_TEST)} planted files, all judged rightly")
        return 1 if failures else 0
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    problems = check(root)
    if problems:
        print("\n".join(problems))
        print(f"check_layers: {len(problems)} violations", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
