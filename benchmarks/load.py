"""wrk: as many requests as a server takes. Needs it installed (apt-get install wrk)."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)|(?:connect|read|write|timeout) (\d+)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Load:
    """What came of it: requests, how many of them a second and failed, seconds of the median."""

    total: int
    rate: float
    failed: int
    p50: float
    p99: float

    @classmethod
    def parse(cls, output: str) -> Self:
        """From what wrk prints."""

        def quantile(name: str) -> float:
            number, unit = re.findall(rf"{name}%\s+([\d.]+)(us|ms|s|m)", output)[0]
            return float(number) * _UNITS[unit]

        return cls(
            int(re.findall(r"(\d+) requests in", output)[0]),
            float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0]),
            sum(int(a or b) for a, b in FAILED.findall(output)),
            quantile("50"),
            quantile("99"),
        )


class Flood:
    """Clients who send these bodies to /invocations in turn, each again as soon as answered."""

    def __init__(
        self, port: int, bodies: Sequence[bytes], form: str, connections: int, seconds: int
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        script = Path(self._folder.name) / "requests.lua"
        texts = ",".join(f"[==[{body.decode()}]==]" for body in bodies)
        script.write_text(
            f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "{form}"\nlocal n = 0\n'
            f"local bodies = {{{texts}}}\nfunction request()\n  n = n % #bodies + 1\n"
            "  return wrk.format(nil, nil, nil, bodies[n])\nend\n"
        )
        self._process = subprocess.Popen(
            ["wrk", "--latency", "--timeout", "60s", "--threads", "1", "--script", str(script),
             "--connections", str(connections), "--duration", f"{seconds}s",
             f"http://127.0.0.1:{port}/invocations"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def result(self) -> Load:
        """Wait for the end."""
        output, _ = self._process.communicate()
        self._folder.cleanup()
        return Load.parse(output)


def installed() -> bool:
    """Whether there is a wrk."""
    return shutil.which("wrk") is not None
