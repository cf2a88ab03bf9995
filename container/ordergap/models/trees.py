"""The trees of an XGBoost model looked at before XGBoost, which trusts what it reads, sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap.models import ubjson

_FIELDS = (
    "left_children", "right_children", "parents", "split_indices", "split_conditions", "split_type",
)  # fmt: skip
_NOBODY = (-1, 2**31 - 1)  # the parent of the root
_OTHERS = ("default_left", "loss_changes", "sum_hessian")


def check(content: bytes, features: int, targets: int) -> None:
    """Refuse a model in which a forecast could leave the trees, go round for ever, or be no number.

    features  columns that it reads
    targets   numbers that it answers with

    Raises ValueError, which says what is wrong.
    """
    try:
        learner = ubjson.read(content)["learner"]
        booster = learner["gradient_booster"]
        if booster["name"] != "gbtree":
            raise ValueError("its booster is another than gbtree")
        shape = learner["learner_model_param"]
        if (int(shape["num_feature"]), max(int(shape["num_target"]), 1)) != (features, targets):
            raise ValueError(
                f"it reads {shape['num_feature']} columns and answers with {shape['num_target']} "
                f"numbers, its manifest describes {features} and {targets}"
            )
        trees, rounds = booster["model"]["trees"], booster["model"]["iteration_indptr"]
        info = booster["model"]["tree_info"]
        if len(info) != len(trees) or np.any(info):
            raise ValueError("its trees answer for other targets than there are")
        if not len(rounds) or rounds[0] or rounds[-1] != len(trees) or np.any(np.diff(rounds) < 0):
            raise ValueError("its rounds have other trees than there are")
        for number, tree in enumerate(trees):
            if tree["id"] != number:
                raise ValueError(f"tree {number} has the place of another")
            for problem in _problems(tree, features, targets):
                raise ValueError(f"tree {number} {problem}")
    except (AttributeError, LookupError, OverflowError, TypeError) as error:
        raise ValueError(f"it is not as XGBoost writes it: {error}"[:200]) from error


def _problems(tree: Mapping[str, Any], features: int, targets: int) -> Iterator[str]:
    """What is wrong with a tree. To be left at the first: each may rest on those before."""
    parameters = tree["tree_param"]
    nodes = int(parameters["num_nodes"])
    if nodes < 1 or any(np.shape(tree[name]) != (nodes,) for name in (*_FIELDS, *_OTHERS)):
        yield "has nodes without all of their parts"
    left, right, parent, column, condition, kind = (np.asarray(tree[name]) for name in _FIELDS)
    inner = left != -1
    children = np.concatenate([left[inner], right[inner]])
    if not _within(children, 1, nodes) or len(np.unique(children)) != len(children):
        yield "has a child that is no node, or of two"  # without, no way down comes back
    if np.any(parent[children] != np.tile(np.flatnonzero(inner), 2)) or parent[0] not in _NOBODY:
        yield "has a node whose parent is another"
    if not _within(column[inner], 0, features):
        yield "reads a column that there is not"
    if np.any(kind) or np.any(np.isnan(condition[inner])):
        yield "splits by other than numbers"
    values, leaf, leaves = condition[~inner], right[~inner], range(-1, 0)
    if targets > 1:  # the right child of a leaf is its place in these
        values = np.asarray(tree["leaf_weights"])
        leaves = range(len(values) // targets)
        if int(parameters["size_leaf_vector"]) != targets or len(values) % targets:
            yield "has leaves of another length"
    if not _within(leaf, leaves.start, leaves.stop):
        yield "has a leaf that is none"
    if not np.isfinite(values).all():
        yield "has a leaf that is no number"


def _within(numbers: NDArray[np.integer], first: int, end: int) -> bool:
    return bool(np.all((numbers >= first) & (numbers < end)))
