"""Trees that a forecast could leave, or go round in for ever, never reach XGBoost."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.hyperparameters import parse
from ordergap.errors import ModelMismatch
from ordergap.models import trees, ubjson
from ordergap.models.xgboost import HazardModel, load_xgboost
from ordergap.trainers.factory import make_trainer
from ordergap.trainers.vector_leaves import with_vector_leaves

FEATURES = 3
BINS = 4


def fitted(**settings: object) -> Any:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(400, FEATURES)).astype(np.float32)
    matrix[:, -1] = rng.integers(0, BINS, 400)
    label = rng.random(400) < 0.3 + 0.2 * (matrix[:, 0] > 0)
    xgb = load_xgboost()
    rows = xgb.DMatrix(matrix, label)
    return xgb.train({"objective": "binary:logistic", "max_depth": 4, **settings}, rows, 5)


def scalar(**settings: object) -> bytes:
    return bytes(fitted(**settings).save_raw("ubj"))


def vector() -> bytes:
    written = json.dumps(with_vector_leaves(json.loads(fitted().save_raw("json")), BINS))
    return bytes(load_xgboost().Booster(model_file=bytearray(written.encode())).save_raw("ubj"))


def write(value: Any) -> bytes:
    """Universal Binary JSON, in the form that XGBoost writes."""
    if isinstance(value, dict):
        return b"{" + b"".join(write(k)[1:] + write(v) for k, v in value.items()) + b"}"
    if isinstance(value, np.ndarray):
        kind = {1: b"U", 4: b"l", 8: b"L"}[value.dtype.itemsize]
        if value.dtype.kind == "f":
            kind = b"d"
        return b"[$" + kind + b"#" + write(len(value)) + value.tobytes()
    if isinstance(value, list):
        return b"[#" + write(len(value)) + b"".join(map(write, value))
    if isinstance(value, str):
        return b"S" + write(len(value.encode())) + value.encode()
    return b"L" + struct.pack(">q", value)


def plain(value: Any) -> Any:
    """Without NumPy, to be compared with what a JSON reader gives."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize(
    "content", [scalar(), vector(), scalar(num_parallel_tree=3)], ids=["scalar", "vector", "forest"]
)
def test_the_reader_sees_what_xgboosts_own_json_says(content: bytes) -> None:
    booster = load_xgboost().Booster(model_file=bytearray(content))
    own, read = json.loads(booster.save_raw("json")), plain(ubjson.read(content))
    both = (each["learner"]["gradient_booster"]["model"].pop("trees") for each in (own, read))
    for theirs, ours in zip(*both, strict=True):
        assert theirs.keys() == ours.keys()
        for name, values in theirs.items():
            if name == "tree_param":
                assert ours[name] == values
            else:
                np.testing.assert_array_equal(np.float32(ours[name]), np.float32(values))
    assert read == own
    assert plain(ubjson.read(write(ubjson.read(content)))) == plain(ubjson.read(content))


def test_what_is_trained_is_taken() -> None:
    trees.check(scalar(), FEATURES, 1)
    trees.check(scalar(num_parallel_tree=3, subsample=0.5), FEATURES, 1)
    trees.check(vector(), FEATURES - 1, BINS)


Tree = dict[str, Any]


def set_(name: str, at: Callable[[Tree], Any], value: Any) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        changed = tree[name] = tree[name].copy()
        changed[at(tree)] = value(tree) if callable(value) else value

    return change


def inner(tree: Tree) -> int:
    return int(np.flatnonzero(tree["left_children"] != -1)[-1])


def leaf(tree: Tree) -> int:
    return int(np.flatnonzero(tree["left_children"] == -1)[0])


def cut(name: str) -> Callable[[Tree], None]:
    return lambda tree: tree.update({name: tree[name][:-1]})


DAMAGES: dict[str, Callable[[Tree], None]] = {
    "a child beyond": set_("left_children", inner, lambda tree: len(tree["parents"])),
    "a child far beyond": set_("right_children", inner, 2**31 - 1),
    "a child below": set_("left_children", inner, -2),
    "half a leaf": set_("right_children", inner, -1),
    "back to the root": set_("left_children", inner, 0),
    "its own child": set_("right_children", inner, inner),
    "a shared child": set_(
        "left_children", inner, lambda tree: tree["right_children"][inner(tree)]
    ),
    "a parent beyond": set_("parents", leaf, 2**31 - 1),
    "another parent": set_("parents", leaf, leaf),
    "a root with a parent": set_("parents", lambda _: 0, 1),
    "the number of another": lambda tree: tree.update(id=3),
    "a column beyond": set_("split_indices", inner, 99),
    "a category": set_("split_type", inner, 1),
    "a split at no number": set_("split_conditions", inner, np.nan),
    **{
        f"fewer {name}": cut(name)
        for name in ("left_children", "split_conditions", "default_left", "parents", "sum_hessian")
    },
    "other nodes": lambda tree: tree["tree_param"].update(num_nodes="999"),
    "no nodes": lambda tree: tree["tree_param"].update(num_nodes="0"),
    "a missing part": lambda tree: tree.pop("split_indices"),
    "a text": lambda tree: tree.update(split_indices="text"),
}
SCALAR = {
    "a leaf of no number": set_("split_conditions", leaf, np.nan),
    "an infinite leaf": set_("split_conditions", leaf, np.inf),
}
VECTOR = {
    "a leaf of no number": set_("leaf_weights", leaf, np.nan),
    "a leaf beyond": set_("right_children", leaf, 10_000),
    "a leaf below": set_("right_children", leaf, -1),
    "fewer values": cut("leaf_weights"),
    "shorter leaves": lambda tree: tree["tree_param"].update(size_leaf_vector="2"),
}


def damaged(content: bytes, change: Callable[[Tree], None]) -> bytes:
    model = ubjson.read(content)
    change(model["learner"]["gradient_booster"]["model"]["trees"][-1])
    return write(model)


@pytest.mark.parametrize("name", DAMAGES | SCALAR)
def test_a_damaged_tree_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^(tree 4 |it )"):
        trees.check(damaged(scalar(), (DAMAGES | SCALAR)[name]), FEATURES, 1)


@pytest.mark.parametrize("name", DAMAGES | VECTOR)
def test_a_damaged_tree_with_vector_leaves_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^(tree 4 |it )"):
        trees.check(damaged(vector(), (DAMAGES | VECTOR)[name]), FEATURES - 1, BINS)


@pytest.mark.parametrize(
    "change",
    [
        lambda learner: learner["gradient_booster"].update(name="dart"),
        lambda learner: learner["learner_model_param"].update(num_feature="4"),
        lambda learner: learner["learner_model_param"].update(num_target="2"),
        lambda learner: learner["learner_model_param"].update(num_target="many"),
        lambda learner: learner["gradient_booster"]["model"].update(tree_info=np.full(5, 9, ">i4")),
        lambda learner: learner["gradient_booster"]["model"].update(tree_info=np.zeros(1, ">i4")),
        lambda learner: learner["gradient_booster"]["model"].update(
            iteration_indptr=np.array([0, 1, 2, 3, 4, 6], ">i4")
        ),
        lambda learner: learner["gradient_booster"]["model"].update(iteration_indptr=[]),
        lambda learner: learner.pop("gradient_booster"),
    ],
)
def test_a_model_of_another_shape_is_refused(change: Callable[[Any], object]) -> None:
    model = ubjson.read(scalar())
    change(model["learner"])
    with pytest.raises(ValueError, match=r"."):
        trees.check(write(model), FEATURES, 1)


SCALAR_BYTES = scalar()
PLACES = st.integers(0, len(SCALAR_BYTES) - 1)


@given(PLACES)
def test_what_is_cut_is_refused(end: int) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        trees.check(SCALAR_BYTES[:end], FEATURES, 1)


@given(PLACES, st.integers(0, 255))
def test_a_changed_byte_is_refused_or_does_no_harm(place: int, byte: int) -> None:
    changed = bytearray(SCALAR_BYTES)
    changed[place] = byte
    with suppress(ValueError):  # XGBoost's own error is one
        trees.check(bytes(changed), FEATURES, 1)
        booster = load_xgboost().Booster(model_file=changed)
        booster.inplace_predict(np.zeros((2, FEATURES), np.float32))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no trees",
        b"{L",
        b"[#" * 100_000,
        b"[#L\x00\x00\x00\x00\x00\x00\x00\x01" * 100_000,
        b"[$l#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"[#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"[#L\xff\xff\xff\xff\xff\xff\xff\xff",
        write({"a": 1})[:-1] + write({"a": 1})[1:],
        write({"a": 1}) + b"Z",
        write([1]),
        write({"learner": 1}),
    ],
)
def test_what_is_no_universal_binary_json_of_a_model_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        trees.check(content, FEATURES, 1)


def test_a_models_file_of_such_trees_is_refused_before_xgboost_sees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = make_trainer(parse({}), calendar=False)
    name = HazardModel.file_name
    monkeypatch.setattr(load_xgboost(), "Booster", lambda **_: pytest.fail("it was seen"))
    with pytest.raises(ModelMismatch, match=rf"{name} is not a model that XGBoost can read: it"):
        HazardModel.load({name: b"no trees"}, trainer.feature_names, {"days": [7.0, 30.0]})
