"""The tests of buckets, the fastest first: python -m tests.hashing_line.

They stop at the first stage that fails: what comes after it would only fail again.
"""

from __future__ import annotations

import subprocess
import sys

STAGES = {
    "unit": ["tests/unit/test_hashing.py"],
    "component": ["tests/integration/hashing/test_languages.py"],
    "smoke": ["tests/integration/hashing/test_smoke.py"],
}
"""Name -> its tests: the function alone, the languages, and the way through the product."""


def main() -> int:
    """The exit status of the first stage that fails; 0 where none does."""
    for stage, tests in STAGES.items():
        print(f"{stage}: {' '.join(tests)}", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
        done = subprocess.run([*command, *tests], check=False)
        if done.returncode:
            print(f"{stage} failed: what comes after it is not run", flush=True)
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
