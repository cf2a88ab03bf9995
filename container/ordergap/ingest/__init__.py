"""Transactions in, as files, frames or bytes; orders out, with a count of every rejected row.

    cleaned = read("Online_Retail.csv", Columns())
    cleaned.histories      every customer's orders
    print(describe(cleaned.report))

In the sequence of the work: `sources` finds files and their format (by `names`, `archives` and
`signatures`), `asides` tells which of a folder have no orders, `scanning` makes frames of them
(`encodings`, `header`, `plain_csv`, `delimited` and `listings` for CSV, `documents` for JSON,
`workbooks`), `table` keeps the columns that are used (by `roles`), `cells` makes values of texts,
`cleaning` rejects rows and adds up orders, `netting` subtracts cancellations from order lines.
"""

from ordergap.ingest.cleaning import Cleaned
from ordergap.ingest.conventions import Decided, Evidence, decide
from ordergap.ingest.plausibility import absurd_share
from ordergap.ingest.reading import Orders, Rows, from_bytes, has_data, read, tabulate
from ordergap.ingest.rejections import describe_rejections, raise_for_unreadable
from ordergap.ingest.report import describe

__all__ = [
    "Cleaned",
    "Decided",
    "Evidence",
    "Orders",
    "Rows",
    "absurd_share",
    "decide",
    "describe",
    "describe_rejections",
    "from_bytes",
    "has_data",
    "raise_for_unreadable",
    "read",
    "tabulate",
]
