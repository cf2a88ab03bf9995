"""What the names of files and folders say: which are data, and the columns in Hive's folders."""

from __future__ import annotations

import itertools
import re
from fnmatch import fnmatch
from pathlib import PurePath
from urllib.parse import unquote

from ordergap.contract.column_names import column_name

_BESIDE = (
    "manifest", "*.manifest", "*[_-]manifest", "*.metadata", "readme*", "licen[cs]e*", "notice*",
    "thumbs.db", "desktop.ini", "~$*", "*.md", "*.rst", "*.pdf", "*.htm", "*.html", "*.doc",
    "*.docx", "*.log", "*.sql", "*.py", "*.ipynb", "*.r", "*.sh", "*.ini", "*.cfg", "*.toml",
    "*.yml", "*.yaml", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.svg", "*.webp", "*.md5", "*.sha1",
    "*.sha256", "*.sha512", "*.crc", "*.sfv", "*.asc", "*.sig", "*.bak", "*.old", "*.orig", "*.tmp",
    "*.swp", "*~", "*data[_ -]dictionary*",
)  # fmt: skip
_PAIR = re.compile(r"[^=]+=")
_MISSING = "__HIVE_DEFAULT_PARTITION__"


def is_hidden(name: str) -> bool:
    """Whether a file or folder is no data and not worth a word, such as ``_SUCCESS``."""
    return name.startswith((".", "_"))


def is_beside(name: str) -> bool:
    """Whether a file of this name lies beside data and is none itself.

    >>> is_beside("README.txt"), is_beside("orders.csv.metadata"), is_beside("part-00000")
    (True, True, False)
    """
    return any(fnmatch(name.lower(), pattern) for pattern in _BESIDE)


def hive_folders(path: PurePath) -> PurePath:
    """The last folders of a path that are named like ``day=2022-01-11``.

    >>> hive_folders(PurePath("/data/x=1/orders/year=2022/month=01")).as_posix()
    'year=2022/month=01'
    """
    named = list(itertools.takewhile(_PAIR.match, reversed(path.parts)))
    return PurePath(*reversed(named))


def hive_columns(file: PurePath, date_column: str) -> dict[str, str | None]:
    """The columns in the names of a file's folders, such as ``day=2022-01-11``; None: missing.

    Year, month and day together are the date.

    >>> hive_columns(PurePath("shop=a/year=2022/month=1/day=9/part-0"), "date")
    {'shop': 'a', 'year': '2022', 'month': '1', 'day': '9', 'date': '2022-01-09'}
    """
    pairs = [part.partition("=") for part in file.parts[:-1] if _PAIR.match(part)]
    columns = {
        column_name(unquote(name)): None if value == _MISSING else unquote(value)
        for name, _, value in pairs
    }
    lower = {name.lower(): value or "" for name, value in columns.items()}
    date = [lower.get(name, "") for name in ("year", "month", "day")]
    if date_column not in columns and all(map(str.isdigit, date)):
        columns[date_column] = f"{date[0]:0>4}-{date[1]:0>2}-{date[2]:0>2}"
    return columns
