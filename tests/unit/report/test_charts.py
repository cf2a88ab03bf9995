import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.report import charts
from ordergap.report.contents import Columns, Diagonal, Histogram, Ranked, Steps


@given(st.floats(1e-6, 1e12))
def test_ticks_reach_the_highest_value_in_few_round_steps(high: float) -> None:
    marks = charts.ticks(high)
    assert marks[0] == 0
    assert marks[-1] >= high * 0.999
    assert 2 <= len(marks) <= 7
    assert f"{marks[1]:.0e}"[0] in "125"


@pytest.mark.parametrize("high", [0, -1, float("nan"), float("inf")])
def test_ticks_of_nothing_go_from_zero_to_one(high: float) -> None:
    assert charts.ticks(high) == [0, 1]


def bars(svg: str) -> list[dict[str, float]]:
    found = re.findall(r'<rect class="bar" (.*?)/?>', svg)
    return [{k: float(v) for k, v in re.findall(r'(\w+)="([\d.]+)"', each)} for each in found]


def test_bars_are_as_high_as_their_numbers() -> None:
    drawn = bars(
        charts.draw(Histogram("t", [(0, 10, 40), (10, 20, 20), (20, 40, 0)], "x", "y"), "h")
    )
    assert [bar["height"] for bar in drawn] == pytest.approx([206, 103, 0])
    assert drawn[2]["width"] == pytest.approx(2 * drawn[1]["width"], abs=0.1)


def test_ranked_bars_are_as_long_as_their_numbers() -> None:
    svg = charts.draw(Ranked("t", [("a", "", 4, "4"), ("b", "", 1, "1")]), "r")
    first, second = bars(svg)
    assert first["width"] == pytest.approx(4 * second["width"], abs=0.3)


@pytest.mark.parametrize("count", [1, 7, 53, 520])
def test_labels_of_columns_do_not_touch(count: int) -> None:
    svg = charts.draw(Columns("t", [(f"2011-W{k:02}", k) for k in range(count)], "x", "y"), "c")
    at = [float(x) for x in re.findall(r'<text class="tick" x="([\d.]+)" y="254"', svg)]
    assert len(at) >= min(count, 3)
    assert all(right - left > len("2011-W01") * 6.4 for left, right in pairwise(at))
    assert all(len("2011-W01") * 3.2 <= x <= charts.WIDTH - len("2011-W01") * 3.2 for x in at)


def test_intervals_stand_on_their_columns_below_the_number() -> None:
    chart = Columns("t", [("10 Dec", 40.0), ("17 Dec", 2.34)], "x", "y", [(30, 60), (0, 5)])
    svg = charts.draw(chart, "c")
    first, second = bars(svg)
    found = re.findall(r'class="ends" x1="(.*?)" y1="(.*?)" x2="(.*?)" y2="(.*?)"', svg)
    ends = [tuple(map(float, each)) for each in found]
    for bar, (x1, low, x2, high) in zip((first, second), ends, strict=True):
        assert x1 == x2 == pytest.approx(bar["x"] + bar["width"] / 2, abs=0.1)
        assert high < bar["y"] < low
    per_customer = first["height"] / 40
    assert ends[0][1] - ends[0][3] == pytest.approx(30 * per_customer, abs=0.2)
    numbers = re.findall(r'class="value" x=".*?" y="(.*?)" text-anchor="middle">(.*?)<', svg)
    assert [text for _, text in numbers] == ["40", "2.3"]
    assert all(0 < float(y) < end[3] for (y, _), end in zip(numbers, ends, strict=True))
    assert "17 Dec: 2.3 (0 to 5)" in svg


def test_eight_weeks_have_a_label_each() -> None:
    weeks = [(f"{day} Dec", 1.0) for day in range(10, 18)]
    svg = charts.draw(Columns("t", weeks, "x", "y", [(0, 2)] * 8), "c")
    assert re.findall(r">(\d+ Dec)</text>", svg) == [label for label, _ in weeks]


def test_a_dot_on_the_diagonal_lies_on_it_and_its_area_grows_with_its_rows() -> None:
    svg = charts.draw(Diagonal("t", [(0.5, 0.5), (0.9, 0.9)], "x", "y", [100, 400]), "d")
    (ideal,) = re.findall(r'class="ideal" x1="(.*?)" y1="(.*?)" x2="(.*?)" y2="(.*?)"', svg)
    x0, y0, x1, y1 = map(float, ideal)
    found = re.findall(r'cx="(.*?)" cy="(.*?)" r="(.*?)"', svg)
    dots = [tuple(map(float, dot)) for dot in found]
    assert dots[0][:2] == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2))
    assert dots[1][2] > dots[0][2]


def test_points_that_are_not_known_are_not_drawn() -> None:
    nan = float("nan")
    for rows in ((), (1, 0)):
        svg = charts.draw(Diagonal("t", [(0.5, nan), (nan, 0.5)], "x", "y", rows), "d")
        assert "<circle" not in svg
        assert "nan" not in svg


def test_a_line_joins_points_without_rows() -> None:
    points = [(0.5, 0.4), (0.9, 0.8)]
    assert 'class="line"' in charts.draw(Diagonal("t", points, "x", "y"), "d")
    assert 'class="line"' not in charts.draw(Diagonal("t", points, "x", "y", [3, 5]), "d")


def test_the_curve_falls_in_steps_from_one() -> None:
    svg = charts.draw(Steps("t", [(10, 0.8), (20, 0.5)], "x", "y"), "s")
    (line,) = re.findall(r'class="line" d="M(.*?)"', svg)
    x, y = zip(*(map(float, point.split()) for point in line.split("L")), strict=True)
    assert list(x) == sorted(x)
    assert list(y) == sorted(y)
    assert x[1:3] == (x[1], x[1])
    assert "falls to half at 20 x." in svg


def test_large_counts_leave_room_for_the_chart() -> None:
    svg = charts.draw(Histogram("t", [(0, 1, 12_000_000), (1, 2, 3)], "x", "y"), "h")
    assert ">10\u00a0M<" in svg
    assert ">20\u00a0k<" in charts.draw(Histogram("t", [(0, 1, 33_000)], "x", "y"), "h")


def test_a_long_name_is_cut_short() -> None:
    svg = charts.draw(Ranked("t", [("n" * 500, "m" * 500, 1.0, "1.0")]), "r")
    assert "…" in svg
    assert not re.search(r">[^<]{100}[^<]*</?t", svg)
