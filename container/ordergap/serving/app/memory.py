"""The memory of the container, as its cgroup counts it.

See docs/decisions/serving.md#the-datas-last-day-is-a-time-and-memory-is-the-containers.
"""

from __future__ import annotations

import re
from pathlib import Path

_FILES = (  # version 2, version 1: used, limit, statistics, what of them can be taken back
    ("memory.current", "memory.max", "memory.stat", "inactive_file"),
    (
        "memory/memory.usage_in_bytes",
        "memory/memory.limit_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
_NO_LIMIT = 1 << 60  # version 1 writes a number that no machine has


def memory(cgroup: Path = Path("/sys/fs/cgroup")) -> tuple[int | None, int | None]:
    """Bytes that are used and the most that may be; None where the system does not say.

    Without pages of files that the kernel takes back by itself: Kubernetes' working set.
    """
    for used, limit, statistics, inactive in _FILES:
        try:
            bytes_used = int((cgroup / used).read_text())
            text = (cgroup / statistics).read_text()
            most = (cgroup / limit).read_text().strip()
        except (OSError, ValueError):  # not this version of cgroups
            continue
        found = re.search(rf"^{inactive} (\d+)$", text, re.MULTILINE)
        free = int(found[1]) if found else 0
        bounded = most.isdigit() and int(most) < _NO_LIMIT
        return max(0, bytes_used - free), int(most) if bounded else None
    return None, None
