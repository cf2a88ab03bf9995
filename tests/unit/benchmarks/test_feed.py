"""The benchmark of the feed's rules: faults that it plants are found, and a healthy shop is not."""

import datetime
from pathlib import Path

from ordergap.contract.orders import Columns

from benchmarks.feed import detected, false_alarms, feeds
from local import source
from tests.shop import OPENING, shop, write_csv


def test_planted_faults_are_found_in_a_shop_without_false_alarms(tmp_path: Path) -> None:
    columns = Columns()
    frame = source.read(write_csv(shop(), tmp_path / "shop.csv"), columns)
    nights = [OPENING + datetime.timedelta(day) for day in range(240, 249)]
    healthy = feeds(frame, columns, nights)
    assert dict.fromkeys(dict(false_alarms(healthy)), 0) == dict(false_alarms(healthy))
    found = {fault: (count, of) for fault, count, of in detected(frame, columns, healthy)}
    assert len(found) == 9
    assert all(count == of > 0 for count, of in found.values()), found
