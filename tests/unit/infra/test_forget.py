"""The command behind make forget: calls until the end, adds up, and says what is left."""

from typing import Any

import pytest

from infra import forget


def looked(prefix: str, **counts: Any) -> dict[str, Any]:
    return dict.fromkeys(forget.COUNTS, 0) | {"prefix": prefix, "example": None} | counts


def proof(*prefixes: dict[str, Any], after: str | None = None, **more: Any) -> dict[str, Any]:
    given = {"customer": "ab" * 32, "excluded": True, "items": 0, "not_looked_at": 2}
    return {**given, "prefixes": list(prefixes), "next": after, **more}


def asked(*answers: dict[str, Any], undo: bool = False) -> tuple[str, list[dict[str, Any]]]:
    """What is printed, and the inputs of the calls."""
    left, events = list(answers), []

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        events.append(dict(event))
        return left.pop(0)

    text = forget.forget(invoke, "17850", "uk", undo, wait=0)
    assert not left
    return text, events


def test_calls_go_on_until_the_end_and_add_up() -> None:
    text, events = asked(
        proof(looked("runs/a/uk/", looked_at=3, changed=1, rows=5), items=1, after="runs/a/uk/k"),
        {"errorType": "Unavailable", "errorMessage": "throttled"},
        proof(looked("runs/a/uk/", looked_at=1, rows=2, changed=1, mentions=1, example="runs/x")),
    )
    assert [each.get("after") for each in events] == [None, "runs/a/uk/k", "runs/a/uk/k"]
    [row] = [line for line in text.splitlines() if line.endswith("runs/a/uk/")]
    assert row.split() == ["4", "2", "7", "0", "0", "1", "0", "runs/a/uk/"]
    assert "Items removed from the table: 1" in text
    assert "Looked at 4 versions of objects; 4 are not the market's." in text
    assert "In 1 objects the text of the id is left" in text
    assert "17850" not in text
    assert "nowhere" not in text


def test_somebody_who_is_nowhere_and_what_is_left_are_said() -> None:
    text, _ = asked(proof(looked("runs/a/uk/", looked_at=3)))
    assert "The customer was nowhere" in text
    assert "Later extractions exclude" in text
    assert "backups of the table" in text
    assert "models" in text


def test_undoing_says_what_it_does() -> None:
    text, [event] = asked(proof(excluded=False), undo=True)
    assert event["undo"]
    assert "read the customer with the hash abab" in text


@pytest.mark.parametrize(("kind", "calls"), [("AlreadyRunning", 1), ("Unavailable", 6)])
def test_only_what_passes_is_tried_again(kind: str, calls: int) -> None:
    events = []

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        events.append(event)
        return {"errorType": kind, "errorMessage": "run night is under way"}

    with pytest.raises(forget.Failed, match=f"{kind}: run night"):
        forget.forget(invoke, "17850", "uk", undo=False, wait=0)
    assert len(events) == calls


def test_without_a_customer_nothing_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert forget.main({"CUSTOMER": " "}) == 2
    assert "make forget CUSTOMER=" in capsys.readouterr().err
