"""The buckets of the published table, through the package that is installed."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_a_process_of_its_own_has_the_published_buckets(seed: str) -> None:
    code = (
        "from ordergap.hashing import bucket_each\n"
        "print(bucket_each('product', ['85123A', '22423', None], 1024))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[992, 470, 1024]"
