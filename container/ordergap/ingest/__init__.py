"""Transactions in, as files, frames or bytes; orders out, with a count of every rejected row.

    cleaned = read("Online_Retail.csv", Columns())
    cleaned.histories      every customer's orders
    print(describe(cleaned.report))

In the sequence of the work: `sources` finds files and their format, `scanning` reads them as
text, `table` keeps the columns that are used, `cells` makes values of texts, `cleaning` rejects
rows and adds up orders, `netting` subtracts cancellations from order lines.
"""

from ordergap.ingest.cleaning import Cleaned
from ordergap.ingest.reading import Orders, from_bytes, has_data, read
from ordergap.ingest.report import describe

__all__ = ["Cleaned", "Orders", "describe", "from_bytes", "has_data", "read"]
