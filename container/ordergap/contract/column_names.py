"""Names of columns, written alike in files and in options."""

from __future__ import annotations

import re

DELIMITERS = ",;\t|^~\x01"
"""What may stand between the cells of CSV, without being told; the last is Hive's."""


def column_name(name: object) -> str:
    r"""A column's name as text, with one plain blank for line breaks, no-break or several blanks.

    Characters without a width and surrounding blanks are left out.

    >>> column_name(" Customer\u00a0\n ID\ufeff")
    'Customer ID'
    """
    return " ".join(re.sub("[\u00ad\u200b-\u200d\u2060\ufeff]", "", str(name)).split())
