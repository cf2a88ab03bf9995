"""From trees that read the time bin to trees whose leaves answer for all bins at once.

The bin is a column of the hazard's trees, so a finished tree can be evaluated for every bin ahead
of time: splits on the bin vanish, and a leaf holds one value a bin. The hazards stay the same and a
customer costs one walk through each tree in place of one a bin. Works on XGBoost's JSON form.

See docs/decisions/trainers.md#trees-are-finished-with-vector-leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST_PRODUCT = 256  # leaves; beyond it two trees are cheaper than their product


@dataclass(frozen=True, eq=False)
class _Leaf:
    values: NDArray[np.float32]  # (m,) one a bin

    leaves = 1


@dataclass(frozen=True, eq=False)
class _Split:
    column: int
    condition: float  # below it to the left
    missing_left: bool
    left: _Tree
    right: _Tree

    @property
    def leaves(self) -> int:
        return self.left.leaves + self.right.leaves


_Tree = _Leaf | _Split


def with_vector_leaves(model: dict[str, Any], bins: int) -> dict[str, Any]:
    """The model, in XGBoost's JSON form, without its last column, which is the bin 0 … bins - 1.

    The answer has `bins` targets, at least two, and target j is what `model` says with j in its
    last column.
    """
    learner = model["learner"]
    gbtree = learner["gradient_booster"]["model"]
    column = int(learner["learner_model_param"]["num_feature"]) - 1
    trees = [
        tree
        for each in gbtree["trees"]
        for tree in _sum_of(_Reader(each, column, bins).trees(0, 0, bins))
    ]
    score = learner["learner_model_param"]["base_score"].strip("[]")
    parameters = learner["learner_model_param"] | {
        "num_feature": str(column),
        "num_target": str(bins),
        "base_score": f"[{','.join([score] * bins)}]",
    }
    written = gbtree | {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
        "iteration_indptr": list(range(len(trees) + 1)),
        "tree_info": [0] * len(trees),
        "trees": [_written(tree, i, column, bins) for i, tree in enumerate(trees)],
        "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
    }
    booster = learner["gradient_booster"] | {"model": written}
    changed = {
        "gradient_booster": booster,
        "learner_model_param": parameters,
        "feature_names": [],
        "feature_types": [],
        "attributes": {},
    }
    return model | {"learner": learner | changed}


@dataclass(frozen=True, eq=False)
class _Reader:
    """A scalar tree of XGBoost's JSON form; `column` holds the bin."""

    tree: dict[str, Any]
    column: int
    bins: int

    def trees(self, node: int, low: int, high: int) -> list[_Tree]:
        """Trees whose sum is what lies below `node` for the bins low … high - 1, else 0."""
        tree = self.tree
        left, right = tree["left_children"][node], tree["right_children"][node]
        condition = tree["split_conditions"][node]
        if left == -1:
            values = np.zeros(self.bins, np.float32)
            values[low:high] = condition
            return [_Leaf(values)]
        if tree["split_indices"][node] == self.column:
            middle = min(max(math.ceil(condition), low), high)
            below = self.trees(left, low, middle) if low < middle else []
            above = self.trees(right, middle, high) if middle < high else []
            return below + above
        nothing = _Leaf(np.zeros(self.bins, np.float32))
        lefts, rights = (_sum_of(self.trees(child, low, high)) for child in (left, right))
        count = max(len(lefts), len(rights))
        pairs = zip(
            lefts + [nothing] * (count - len(lefts)),
            rights + [nothing] * (count - len(rights)),
            strict=True,
        )
        missing_left = bool(tree["default_left"][node])
        return [
            _Split(tree["split_indices"][node], condition, missing_left, *pair) for pair in pairs
        ]


def _sum_of(trees: list[_Tree]) -> list[_Tree]:
    """Fewer trees with the same sum: neighbours become one while their product stays small."""
    summed: list[_Tree] = []
    for tree in trees:
        if summed and summed[-1].leaves * tree.leaves <= _LARGEST_PRODUCT:
            summed[-1] = _product(summed[-1], tree, {})
        else:
            summed.append(tree)
    return summed


@dataclass(frozen=True)
class _Range:
    """What a column can still be on a path: low <= x < high, or missing."""

    low: float = -math.inf
    high: float = math.inf
    missing: bool = True


def _product(a: _Tree, b: _Tree, path: dict[int, _Range]) -> _Tree:
    """One tree that answers a + b, given what the path to here says of the columns."""
    if isinstance(a, _Leaf):
        if isinstance(b, _Leaf):
            return _Leaf(a.values + b.values)
        a, b = b, a
    known = path.get(a.column, _Range())
    left = replace(
        known, high=min(known.high, a.condition), missing=known.missing and a.missing_left
    )
    right = replace(
        known, low=max(known.low, a.condition), missing=known.missing and not a.missing_left
    )
    can_left, can_right = (side.low < side.high or side.missing for side in (left, right))
    if not can_right:
        return _product(a.left, b, path | {a.column: left})
    if not can_left:
        return _product(a.right, b, path | {a.column: right})
    return replace(
        a,
        left=_product(a.left, b, path | {a.column: left}),
        right=_product(a.right, b, path | {a.column: right}),
    )


def _breadth_first(root: _Tree) -> Iterator[tuple[_Tree, int]]:
    """Every node with its parent's number, -1 for the root; numbers are places in this sequence."""
    queue = [(root, -1)]
    for number, (node, _) in enumerate(queue):
        if isinstance(node, _Split):
            queue += [(node.left, number), (node.right, number)]
    return iter(queue)


def _written(root: _Tree, number: int, columns: int, bins: int) -> dict[str, Any]:
    """The tree in XGBoost's JSON form: a leaf's right child is its place in leaf_weights."""
    nodes = list(_breadth_first(root))
    splits = [isinstance(node, _Split) for node, _ in nodes]
    child = iter(range(1, len(nodes), 2))
    leaf = iter(range(len(nodes)))
    firsts = [next(child) if split else -1 for split in splits]
    weights = [
        value for node, _ in nodes if isinstance(node, _Leaf) for value in node.values.tolist()
    ]
    return {
        "id": number,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(columns),
            "num_nodes": str(len(nodes)),
            "size_leaf_vector": str(bins),
        },
        "left_children": firsts,
        "right_children": [first + 1 if first > 0 else next(leaf) for first in firsts],
        "parents": [parent for _, parent in nodes],
        "split_indices": [node.column if isinstance(node, _Split) else 0 for node, _ in nodes],
        "split_conditions": [
            node.condition if isinstance(node, _Split) else 0.0 for node, _ in nodes
        ],
        "default_left": [int(isinstance(node, _Split) and node.missing_left) for node, _ in nodes],
        "split_type": [0] * len(nodes),
        "base_weights": [0.0] * (len(nodes) * bins),
        "leaf_weights": weights,
        "loss_changes": [0.0] * len(nodes),
        "sum_hessian": [0.0] * len(nodes),
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
    }
