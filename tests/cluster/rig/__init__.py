"""What the cluster tests share, on top of tests/e2e/harness: clusters, networks, clients of many nodes, verdicts."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "e2e"))  # for the package `harness`
