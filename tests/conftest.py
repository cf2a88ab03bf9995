import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from ordergap.settings import limit_threads

# A shell that starts tests in the background has them ignore Ctrl-C, and so would what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before anything numeric is imported; other workers and processes have the other processors.
limit_threads(1)

# Properties are about results; how fast a busy machine finds them is not one.
settings.register_profile(
    "ordergap", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ordergap")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def few_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of a small backtest's time are the hundred that its intervals are of."""
    monkeypatch.setattr("ordergap.backtest.run.REPLICATES", 10)
