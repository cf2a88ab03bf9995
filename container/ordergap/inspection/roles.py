"""Which column means what: names say what a column may be, and its cells decide.

See docs/decisions/inspection.md#names-first-then-the-cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.contract.presets import EXCLUDED_STATUSES, PRESETS
from ordergap.inspection import understanding
from ordergap.inspection.contents import MOST, Content
from ordergap.inspection.names import ROLES
from ordergap.inspection.totals import is_total

_KNOWN_STATUSES = (
    *EXCLUDED_STATUSES, "authorized", "closed", "complete", "completed", "confirmed", "delivered",
    "fulfilled", "invoiced", "on-hold", "open", "paid", "partially_paid", "partially_refunded",
    "pending", "processing", "shipped", "succeeded", "unfulfilled",
    "bezahlt", "offen", "versendet", "payé", "payée", "expédiée", "pagado", "enviado",
)  # fmt: skip
# Days since 1899-12-30, and seconds and milliseconds since 1970, from 1990 to 2050.
_EPOCHS = {
    "excel": (32_874.0, 54_789.0),
    "epoch-s": (6.3e8, 2.6e9),
    "epoch-ms": (6.3e11, 2.6e12),
}
_FEW_DAYS = 7  # on which hardly anybody orders twice
_TIME = r"[T ]+\d{1,2}:\d\d.*$"  # of the day, behind a date
_NEEDED = ("customer", "date")
_OWN = {"date": "date", "customer": "e-mail"}
"""Role -> the kind of cells that make a column a candidate without a name for it."""


@dataclass
class Proposal:
    """What the columns are taken for.

    preset   the shop system that has these columns
    options  reading option -> value, of the preset, found, and given
    others   reading option -> columns that it could name as well
    doubts   sentences about columns whose names promise what their cells do not hold
    """

    preset: str | None = None
    options: dict[str, object] = field(default_factory=dict)
    others: dict[str, tuple[str, ...]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def propose(
    cells: pl.DataFrame, contents: Mapping[str, Content], given: Mapping[str, object]
) -> Proposal:
    """Reading options for columns of these cells, as far as they are not given.

    cells     the first rows, as text
    contents  column -> what its cells look like
    """
    preset = given.get("preset") or _preset(contents)
    found = _propose(cells, contents, given, str(preset) if preset else None)
    total = found.proposal.options.get("amount_column")
    if preset and {"preset", "amount_column"}.isdisjoint(given) and found.is_total(total):
        words = PRESETS[str(preset)].get("excluded_statuses", EXCLUDED_STATUSES)
        other = _propose(cells, contents, {"excluded_statuses": words, **given}, None).proposal
        if other.options.get("amount_column") != total:
            return other
    return found.proposal


def _propose(
    cells: pl.DataFrame,
    contents: Mapping[str, Content],
    given: Mapping[str, object],
    preset: str | None,
) -> _Roles:
    roles = _Roles(cells, contents)
    if preset:
        roles.proposal.preset = preset
        if PRESETS[preset]:  # else the defaults have it all
            roles.proposal.options["preset"] = preset
        known = _named(Columns.model_validate({"preset": preset, **given}))
        given = {**{option: name for option, name in known.items() if name in contents}, **given}
    for option, value in given.items():
        if option.endswith("_column") and value in contents:
            roles.take(option, str(value))
    roles.find_all(every=not preset)
    roles.proposal.options |= given
    return roles


def _named(columns: Columns) -> dict[str, str]:
    """Column option -> the column that it names."""
    options = (name for name in Columns.model_fields if name.endswith("_column"))
    return {option: name for option in options if (name := getattr(columns, option))}


def _preset(contents: Mapping[str, Content]) -> str | None:
    """The system with the most columns that are here; the needed ones must be, and must fit."""
    found: dict[str, int] = {}
    for preset in PRESETS:
        named = _named(Columns.model_validate({"preset": preset}))
        money = ["amount_column"] if "amount_column" in named else ["price_column"]
        needed = ["customer_column", "date_column", *money]
        if all(
            named[option] in contents and not _unlike(_role(option), contents[named[option]])
            for option in needed
        ):
            found[preset] = sum(name in contents for name in named.values())
    return max(found, key=lambda preset: found[preset], default=None)


def _role(option: str) -> str:
    return option.removesuffix("_column")


class _Roles:
    """Columns given out to roles, one after the other."""

    def __init__(self, cells: pl.DataFrame, contents: Mapping[str, Content]) -> None:
        self._cells, self._contents = cells, contents
        self._chosen: dict[str, str] = {}
        self.proposal = Proposal()

    def take(self, option: str, column: str) -> None:
        """This column is this option's."""
        self._chosen[option] = column
        self.proposal.options[option] = column
        content = self._contents[column]
        if option == "date_column" and content.kind != "date" and (epoch := _epoch(content)):
            self.proposal.options.setdefault("date_format", epoch)

    def find_all(self, *, every: bool) -> None:
        """Columns for the roles that have none; `every`: also status and money."""
        self._find("date")
        self._find("customer")
        self._find("order")
        self._find("product")
        if not every:
            return
        self._find("status")
        if "amount_column" in self._chosen:
            self._find("quantity")
            return
        quantity, price = self._best("quantity"), self._best("price")
        given = "price_column" in self._chosen
        if given or (quantity and price and not self._grows(price[0], quantity[0])):
            self._find("quantity")
            self._find("price")
            self._also("amount", [each for each in self._best("amount") if not self.is_total(each)])
            return
        if amounts := self._best("amount"):
            both = [*amounts, *price]
            lines = [name for name in both if not self.is_total(name)] or both
            self.take("amount_column", lines[0])
            self._also("amount", lines[1:])
            if amounts[0] not in lines:
                self.proposal.doubts.append(
                    f'"{amounts[0]}" is the same on all lines of an order, so "{lines[0]}" is taken'
                )
        elif price:
            self.take("amount_column", price[0])
            if quantity:
                self.proposal.doubts.append(
                    f'"{price[0]}" grows with "{quantity[0]}", so it is taken for the amount of a '
                    "line; if it is the price of a piece, set price_column to it"
                )
        if "amount_column" in self._chosen:  # pieces without amounts are refused
            self._find("quantity")

    def is_total(self, column: object) -> bool:
        """Whether a column seems to have the amount of the order on each of its lines."""
        order, product = (self._chosen.get(f"{role}_column") for role in ("order", "product"))
        return column in self._contents and is_total(self._cells, str(column), order, product)

    def _find(self, role: str) -> None:
        option = f"{role}_column"
        if option in self._chosen:
            return
        if candidates := self._best(role):
            self.take(option, candidates[0])
            self._also(role, candidates[1:])

    def _also(self, role: str, others: Sequence[str]) -> None:
        if others and role in {"customer", "date", "price", "amount"}:
            self.proposal.others[f"{role}_column"] = tuple(others)

    def _best(self, role: str) -> list[str]:
        """The free columns with the best names whose cells do not speak against it, best first."""
        names = ROLES[role]
        fitting: dict[int, list[tuple[float, int, str]]] = {}
        doubtful: list[str] = []
        doubts: list[str] = []
        for name, content in self._contents.items():
            level = names.level(name)
            own = content.kind == _OWN.get(role)
            if not name or name in self._chosen.values() or not (level > 0 or own):
                continue  # an option cannot name a column without a name
            if why := _unlike(role, content):
                if level == 2 and role in _NEEDED:
                    doubts.append(f'"{name}" is not proposed as {role}_column: {why}')
            elif why := self._against(role, name):
                if (level == 2 or own) and role in _NEEDED:
                    doubtful.append(name)
                    doubts.append(f'"{name}" is doubtful as {role}_column: {why}')
            else:
                # Of equally good names the fuller column, and of these the likelier name.
                rank = (-round(content.filled, 1), names.place(name), name)
                fitting.setdefault(level, []).append(rank)
        if fitting:
            return [name for *_, name in sorted(fitting[max(fitting)])]
        self.proposal.doubts += doubts
        return doubtful

    def _against(self, role: str, column: str) -> str | None:
        """What makes a column doubtful in this role, other columns beside it."""
        content = self._contents[column]
        if ROLES[role].level(column) < 0:
            return "its name is of something else"
        if role in {*_NEEDED, "product"} and len(content.texts) == 1 and content.rows > 1:
            return "all its cells are the same"
        day, customer = self._chosen.get("date_column"), self._chosen.get("customer_column")
        if role == "customer" and day:
            days = self._each(column, day)
            if days.max() == 1 and self._cells[day].str.replace(_TIME, "").n_unique() > _FEW_DAYS:
                return "none of its values occurs on two days"
        if role == "order" and customer:
            owners = self._each(column, customer)
            if (owners == 1).sum() < 0.95 * len(owners):
                return "its values are of several customers"
        if role == "product" and customer and self._each(column, customer).max() == 1:
            return "each of its values is of one customer"
        return None

    def _grows(self, price: str, quantity: str) -> bool:
        """Whether a price is of all pieces of a line: for one product it grows with the pieces."""
        product = self._chosen.get("product_column")
        if product is None:
            return False
        price_, pieces = (understanding.numbers(self._cells[name]) for name in (price, quantity))
        lines = pl.DataFrame({"product": self._cells[product], "price": price_, "pieces": pieces})
        different = (
            lines.filter(pl.col("price") > 0, pl.col("pieces") > 0)
            .with_columns(each=(pl.col("price") / pl.col("pieces")).round(2))
            .group_by("product")
            .n_unique()
            .filter(pl.col("pieces") > 1)
        )
        return 3 * int(different["each"].sum()) < 2 * int(different["price"].sum())

    def _each(self, column: str, other: str) -> pl.Series:
        """For every value of `column`, how many different values `other` has beside it."""
        alike = pl.col(other).str.replace(_TIME, "").str.to_lowercase()
        pairs = self._cells.select(value=column, other=alike)
        return pairs.drop_nulls().unique().group_by("value").len()["len"]


def _unlike(role: str, content: Content) -> str | None:
    """What the cells say against a column in this role."""
    if content.kind == "blank":
        return "it is blank"
    if role == "date":
        wanted, fits = "dates", content.kind == "date" or _epoch(content) is not None
    elif role in {"quantity", "price", "amount"}:
        wanted, fits = "numbers", content.kind == "number"
    elif role == "status":
        statuses = content.texts.str.to_lowercase().str.strip_prefix("wc-")
        wanted, fits = "known statuses", statuses.is_in(_KNOWN_STATUSES).any()
    elif role == "currency":
        codes = content.texts.str.contains(r"^[A-Za-z]{3}$")
        wanted, fits = "codes of currencies", content.share(codes) >= MOST
    else:
        decimals = content.kind == "number" and not _is_whole(content)
        objects = content.share(content.texts.str.contains(r"""^\[?\{["']""")) >= MOST
        wanted, fits = "ids", content.kind != "date" and not decimals and not objects
    return None if fits else f'its cells are no {wanted}, such as "{content.texts[0][:40]}"'


def _is_whole(content: Content) -> bool:
    return content.share((content.numbers % 1 == 0).fill_null(value=False)) >= MOST


def _epoch(content: Content) -> str | None:
    """The date_format for which the numbers are days or moments of our time."""
    plain = content.texts.cast(pl.Float64, strict=False)
    for name, (first, last) in _EPOCHS.items():
        if content.share(plain.is_between(first, last).fill_null(value=False)) >= MOST:
            return name
    return None


def currency_column(contents: Mapping[str, Content]) -> str | None:
    """The column that names every line's currency."""
    for name, content in contents.items():
        if ROLES["currency"].level(name) and _unlike("currency", content) is None:
            return name
    return None
