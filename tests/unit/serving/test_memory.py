"""The memory of a container, from files as each version of cgroups writes them."""

from pathlib import Path

import pytest
from ordergap.serving.app.memory import memory

TWO = {
    "memory.current": "500\n",
    "memory.max": "900\n",
    "memory.stat": "anon 1\ninactive_file 120\n",
}
ONE = {
    "memory/memory.usage_in_bytes": "500\n",
    "memory/memory.limit_in_bytes": "900\n",
    "memory/memory.stat": "inactive_file 7\ntotal_inactive_file 120\n",
}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (TWO, (380, 900)),
        (ONE, (380, 900)),
        (TWO | {"memory.max": "max\n"}, (380, None)),
        (ONE | {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, (380, None)),
        (TWO | {"memory.stat": "inactive_file 501\n"}, (0, 900)),
        (TWO | {"memory.stat": "anon 1\n"}, (500, 900)),
        ({"memory.max": "900\n"}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_what_is_used_is_without_what_can_be_taken_back(
    tmp_path: Path, files: dict[str, str], expected: tuple[int | None, int | None]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory(tmp_path) == expected
