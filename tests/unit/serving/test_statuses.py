"""Every error that a request can cause has a status, and only those of the server are 5xx."""

from collections.abc import Iterator

import pytest
from ordergap import errors
from ordergap.serving.formats.statuses import STATUSES, body_of, status_of


def below(kind: type[errors.OrdergapError]) -> Iterator[type[errors.OrdergapError]]:
    """The kind and what is below it in the container; functions on AWS have errors of their own."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith("ordergap."):
            yield from below(child)


def made(kind: type[errors.OrdergapError]) -> errors.OrdergapError:
    if issubclass(kind, errors.InvalidRequest):
        return kind([errors.Problem("wrong", 3, "orders")])
    return kind(["wrong"]) if issubclass(kind, errors.InvalidHyperparameters) else kind("wrong")


def test_every_error_has_a_status() -> None:
    assert {status_of(made(kind)) for kind in below(errors.OrdergapError)} <= set(STATUSES.values())


@pytest.mark.parametrize("kind", [*below(errors.InvalidRequest), *below(errors.DataError)])
def test_an_error_of_the_request_is_4xx_with_its_message(kind: type[errors.OrdergapError]) -> None:
    error = made(kind)
    assert 400 <= status_of(error) < 500
    content = body_of(error)["error"]
    assert isinstance(content, dict)
    assert (content["type"], content["message"]) == (kind.__name__, "wrong")


@pytest.mark.parametrize(
    "kind",
    [errors.ModelNotFound, errors.ModelMismatch, errors.AlgorithmError, errors.PlatformError],
)
def test_an_error_of_the_server_is_5xx(kind: type[errors.OrdergapError]) -> None:
    assert status_of(made(kind)) >= 500
