"""ordergap serve."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Sequence

from ordergap.cli import options
from ordergap.settings import Settings, limit_threads


def run(words: Sequence[str]) -> None:
    """Answer requests over HTTP."""
    parser = options.parser("serve", "Answer requests over HTTP.", "where the model is")
    parser.epilog = f"environment:\n{Settings.describe()}"
    parsed = parser.parse_args(words)
    settings = Settings.from_environment()
    limit_threads(1)
    gc.disable()  # imports leave no garbage to look for; the server enables it again
    from ordergap.serving import server  # noqa: PLC0415 - numeric, so after the threads

    today = lambda: datetime.datetime.now(datetime.UTC).date()  # noqa: E731
    server.serve(options.find_model(parsed), settings, today)
