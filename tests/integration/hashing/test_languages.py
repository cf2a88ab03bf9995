"""The bucket of a text is the same in Python, PostgreSQL, MariaDB and JavaScript."""

import json
import random
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql
from ordergap.hashing import MOST, WHITE_SPACE, bucket

from local.source import postgres as postgres_server
from tests.mariadb import mariadb as mariadb_server
from tests.sources import PASSWORD, engine_of

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples/hashing"
Case = tuple[str, str | None, int]

ALPHABETS = [
    "abcXYZ0189 -./'\"\\%:",
    "äéÅñçßıİǅ",
    "e\u0301a\u030ao\u0323\u0302\u0345\u0301",  # letters and marks that compose, or change places
    "שלום\u200fمرحبا\u202e",
    "夏한각ᄒ\u1161\u11abｱ\ufb01\u2126\u212b\uf900",
    "😀👩\u200d👩\u200d👧🇩🇪\U0001d15e",
    WHITE_SPACE + "\x1c\x1f\u180e\u200b\u2060\ufeff",
]


def cases() -> list[Case]:
    """Random texts of every kind, and those of the published table."""
    chosen = random.Random(42)  # noqa: S311 - texts of a test
    texts: list[str | None] = [None, "", " ", "\ufeff", "85123A", "22423", "01104905", "夏"]
    texts += [space + "5" + space for space in WHITE_SPACE]
    for _ in range(400):
        alphabets = chosen.sample(ALPHABETS, chosen.randint(1, 3))
        length = chosen.randint(1, 12)
        texts.append("".join(chosen.choice(chosen.choice(alphabets)) for _ in range(length)))
    fields = ("product", "postcode", "campaign", "Größe", "a\"b'c")
    counts = (1, 7, 32, 256, 1024, MOST)
    return [(chosen.choice(fields), text, chosen.choice(counts)) for text in texts]


CASES = cases()
EXPECTED = [bucket(*case) for case in CASES]


def ask(engine: sql.Engine, script: str, asked: list[Case]) -> list[int]:
    """The buckets by the function that a script makes."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(script)
        query = sql.text("SELECT hash_bucket(:field, :value, :buckets)")
        return [
            connection.execute(
                query, {"field": field, "value": value, "buckets": buckets}
            ).scalar_one()
            for field, value, buckets in asked
        ]


@pytest.fixture(scope="module")
def postgres() -> Iterator[sql.Engine]:
    try:
        server = postgres_server(PASSWORD)
        with server as started:
            yield engine_of(started.url)
    except OSError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def mariadb() -> Iterator[sql.Engine]:
    try:
        with mariadb_server(PASSWORD) as url:
            with engine_of(url).connect() as connection:
                connection.exec_driver_sql("CREATE DATABASE shop")
            yield engine_of(f"{url}shop?charset=utf8mb4")
    except OSError as error:
        pytest.skip(str(error))


def script(name: str) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8")


def test_postgresql_has_the_same_buckets(postgres: sql.Engine) -> None:
    assert ask(postgres, script("postgresql.sql"), CASES) == EXPECTED


def test_postgresql_refuses_numbers_fields_and_counts(postgres: sql.Engine) -> None:
    ask(postgres, script("postgresql.sql"), [])
    for arguments in ("'a', 1104905.0, 32", "'a', 5, 32", "'', '5', 32", "'a', '5', 0"):
        with postgres.connect() as connection, pytest.raises(sql.exc.DBAPIError):
            connection.exec_driver_sql(f"SELECT hash_bucket({arguments})")


def test_mariadb_has_the_same_buckets_of_composed_texts(mariadb: sql.Engine) -> None:
    composed = [
        (field, value and unicodedata.normalize("NFC", value), count)
        for field, value, count in CASES
    ]
    script_text = script("mariadb.sql")
    found = ask(mariadb, script_text[script_text.index("CREATE") :], composed)
    assert found == EXPECTED


def test_javascript_has_the_same_buckets(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    program = tmp_path / "ask.mjs"
    program.write_text(
        f"import {{ bucket }} from {json.dumps((EXAMPLES / 'bucket.mjs').as_uri())};\n"
        "import { readFileSync } from 'node:fs';\n"
        "const cases = JSON.parse(readFileSync(0, 'utf8'));\n"
        "const refused = [['a', 1104905], ['a', 5.5], ['a', '\\ud800'], ['', '5'],"
        " ['a\\x1f', '5']];\n"
        "for (const [field, value] of refused) {\n"
        "  let error; try { await bucket(field, value, 32); } catch (caught) { error = caught; }\n"
        "  if (!error) throw new Error(`${field} = ${value} was not refused`);\n"
        "}\n"
        "const found = []; for (const each of cases) found.push(await bucket(...each));\n"
        "console.log(JSON.stringify(found));\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [node, program], input=json.dumps(CASES), capture_output=True, text=True, check=True,
        encoding="utf-8",
    )  # fmt: skip
    assert json.loads(done.stdout) == EXPECTED
