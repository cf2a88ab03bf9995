"""The columns of order lines whose values are counted by bucket."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from ordergap.contract.column_names import column_name


def _named(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Each once, named as `column_name` names those of files; none without a name."""
    names = tuple(dict.fromkeys(map(column_name, columns)))
    if not all(names):
        raise ValueError("a column needs a name")
    return names


class HashedColumns(BaseModel):
    """Which columns are hashed, and into how many buckets. See docs/hashing.md."""

    hashed_columns: Annotated[tuple[str, ...], AfterValidator(_named)] = Field(
        (), description="columns of which the lines so far are counted by the value's bucket"
    )
    hash_buckets: int = Field(
        32, ge=2, le=256, description="buckets of each of these, besides that of no value"
    )

    @property
    def hashed_features(self) -> tuple[str, ...]:
        """Their features: a count for each bucket, the last being that of no value."""
        buckets = range(self.hash_buckets + 1)
        return tuple(f"hashed:{name}:{i}" for name in self.hashed_columns for i in buckets)

    def buckets_key(self, name: str) -> str:
        """The key of a column's buckets in an order, which are none of another number of them."""
        return f"{name}:{self.hash_buckets}"
