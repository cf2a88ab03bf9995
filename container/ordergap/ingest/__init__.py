"""Files, frames or bytes in; clean orders out, with a count for every row that was not used.

    cleaned = read("Online_Retail.csv", Columns())
    cleaned.histories      every customer's orders
    print(describe(cleaned.report))

The way through: `sources` finds files and their form, `scanning` makes frames of text of them,
`table` keeps the columns that count, `cells` reads the texts, `cleaning` rejects rows and adds up
orders, `netting` takes cancelled lines back.
"""

from ordergap.ingest.cleaning import Cleaned
from ordergap.ingest.reading import from_bytes, has_data, read
from ordergap.ingest.report import describe

__all__ = ["Cleaned", "describe", "from_bytes", "has_data", "read"]
