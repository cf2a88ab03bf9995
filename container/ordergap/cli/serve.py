"""ordergap serve."""

from __future__ import annotations

import datetime
import gc
import sys
from collections.abc import Sequence

from ordergap.cli import options
from ordergap.errors import PlatformError
from ordergap.settings import Settings, limit_threads


def run(words: Sequence[str]) -> None:
    """Answer requests over HTTP."""
    if sys.platform == "win32":
        raise PlatformError("serve needs gunicorn, which has no Windows version: use the image")
    parser = options.parser("serve", "Answer requests over HTTP.", "where the model is")
    parser.epilog = f"environment:\n{Settings.describe()}"
    parsed = parser.parse_args(words)
    settings = Settings.from_environment()
    limit_threads(1)
    gc.disable()  # imports leave no garbage to look for; the server enables it again
    try:
        from ordergap.serving import server  # noqa: PLC0415 - numeric, so after the threads
    except ModuleNotFoundError as error:
        raise PlatformError(f"serve needs {error.name}: pip install 'ordergap[serve]'") from error

    today = lambda: datetime.datetime.now(datetime.UTC).date()  # noqa: E731
    server.serve(options.find_model(parsed), settings, today)
