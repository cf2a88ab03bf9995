"""The bucket of a text: the published table, and what holds for every text."""

import os
import subprocess
import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.hashing import MOST, WHITE_SPACE, bucket, bucket_each

TABLE = [
    ("product", "85123A", 0xA45B85A982657BE0, (0, 224, 992)),
    ("product", "22423", 0x16B75B682FA771D6, (22, 214, 470)),
    ("postcode", "01104905", 0xA8662F2000875554, (20, 84, 340)),
    ("postcode", "1104905", 0xFD5D0E9B4764EC2C, (12, 44, 44)),
    ("campaign", "Été 2026", 0xC85895428612D792, (18, 146, 914)),
    ("campaign", "夏", 0x04B2DA8271FDA525, (5, 37, 293)),
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(("field", "value", "number", "expected"), TABLE)
def test_buckets_are_those_of_the_published_table(
    field: str, value: str, number: int, expected: tuple[int, ...]
) -> None:
    assert tuple(bucket(field, value, count) for count in (32, 256, 1024)) == expected
    assert [bucket(field, value, count) for count in (7, MOST)] == [number % 7, number % MOST]


@given(TEXTS, st.text(WHITE_SPACE), st.text(WHITE_SPACE), st.integers(1, MOST))
def test_white_space_around_and_the_form_of_unicode_make_no_difference(
    text: str, before: str, after: str, count: int
) -> None:
    expected = bucket("product", text, count)
    assert bucket("product", before + text + after, count) == expected
    assert bucket("product", unicodedata.normalize("NFD", text), count) == expected
    assert 0 <= expected <= count


def test_white_space_is_what_unicode_says() -> None:
    assert len(set(WHITE_SPACE)) == 25
    spaces = {chr(i) for i in range(sys.maxunicode + 1) if chr(i).isspace()}
    assert set(WHITE_SPACE) == spaces - set("\x1c\x1d\x1e\x1f")
    for other in "\x1c\x1f\u200b\ufeff":
        assert bucket("product", f"{other}5", 1024) != bucket("product", "5", 1024)


def test_what_has_no_value_has_a_bucket_of_its_own() -> None:
    assert [bucket("product", each, 32) for each in (None, "", " \xa0\u3000")] == [32, 32, 32]


def test_a_field_is_part_of_the_hash() -> None:
    values = [str(i) for i in range(200)]
    assert bucket_each("postcode", values, 1024) != bucket_each("campaign", values, 1024)


def test_values_are_spread_evenly() -> None:
    count, buckets = 32_000, 32
    found = Counter(bucket_each("product", map(str, range(count)), buckets))
    mean = count / buckets
    assert set(found) == set(range(buckets))
    statistic = sum((each - mean) ** 2 / mean for each in found.values())
    assert statistic < 61.1  # the .999 quantile of chi-squared with 31 degrees of freedom


@pytest.mark.parametrize("value", [1104905, 1104905.0, True, b"1104905", float("nan")])
def test_a_value_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="is not text: write it as text"):
        bucket("postcode", value, 32)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is not text"):
        bucket_each("postcode", ["1", value], 32)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("field", "value", "count"),
    [("", "5", 32), ("a\x1fb", "5", 32), ("a", "5", 0), ("a", "5", MOST + 1), ("a", "\ud800", 32)],
)
def test_what_cannot_be_hashed_is_refused(field: str, value: str, count: int) -> None:
    with pytest.raises(ValueError, match=r"U\+001F|must be 1 to|half a surrogate pair"):
        bucket(field, value, count)


@given(st.lists(st.none() | TEXTS))
def test_many_are_hashed_as_one_is(values: list[str | None]) -> None:
    assert bucket_each("product", values, 64) == [bucket("product", v, 64) for v in values]


def test_another_process_has_the_same_buckets() -> None:
    code = "from ordergap.hashing import bucket; print(bucket('campaign', '夏', 1024))"
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == "293"
