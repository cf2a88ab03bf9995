import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap.errors import ModelMismatch
from ordergap.features import sequence_names
from ordergap.models.lstm import BLOCK, LstmModel, Network
from scipy import stats
from scipy.special import expit

LENGTH = 4
NAMES = sequence_names(LENGTH)
DAYS = np.array([1.0, 7, 30, 90, 365, 1000])

LOG_S_IN_A_FRESH_PROCESS = """
import json, sys
from pathlib import Path
import numpy as np
from ordergap.models.lstm import LstmModel
path, names, parameters, matrix = sys.argv[1:]
files = {LstmModel.file_name: Path(path).read_bytes()}
model = LstmModel.load(files, tuple(json.loads(names)), json.loads(parameters))
np.save(sys.stdout.buffer, model.survival(np.load(matrix)).log_s)
"""


def network(hidden_size: int = 6, layers: int = 1, seed: int = 0) -> Network:
    """With weights as large as learning makes them."""
    made = Network(hidden_size, layers)
    with torch.no_grad():
        random = torch.Generator().manual_seed(seed)
        for weights in made.parameters():
            weights.uniform_(-1, 1, generator=random)
        made.mean[:] = torch.tensor([3.0, 4.0, 1.5, 2.5])
        made.deviation[:] = torch.tensor([1.1, 0.9, 0.6, 1.2])
    return made


def model(likelihood: str = "log-normal", days: NDArray[np.float64] = DAYS) -> LstmModel:
    return LstmModel(network(), NAMES, likelihood, days)


def matrix(rows: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    made = random.lognormal(3, 1, (rows, len(NAMES))).astype(np.float32)
    count = random.integers(1, 8, rows)
    made[:, 0] = count
    steps = np.arange(1, LENGTH + 1)
    made[:, 1 : 1 + LENGTH][steps >= count[:, None]] = np.nan
    made[:, 1 + LENGTH :][steps > count[:, None]] = np.nan
    return made


@pytest.mark.parametrize(("likelihood", "layers"), [("log-normal", 1), ("weibull", 2)])
def test_a_fresh_process_reads_the_same_curves(
    likelihood: str, layers: int, tmp_path: Path
) -> None:
    saved = LstmModel(network(layers=layers), NAMES, likelihood, DAYS)
    (tmp_path / saved.file_name).write_bytes(saved.files()[saved.file_name])
    np.save(tmp_path / "matrix.npy", matrix(50))
    answer = tmp_path / "log_s.npy"
    with answer.open("wb") as file:
        subprocess.run(
            [sys.executable, "-c", LOG_S_IN_A_FRESH_PROCESS, tmp_path / saved.file_name,
             json.dumps(NAMES), json.dumps(saved.parameters), tmp_path / "matrix.npy"],
            check=True, stdout=file, env={"PYTHONPATH": "."},
        )  # fmt: skip
    np.testing.assert_array_equal(np.load(answer), saved.survival(matrix(50)).log_s)


def test_equal_models_have_equal_bytes() -> None:
    assert model().files() == model().files()


def by_hand(row: NDArray[np.float32]) -> tuple[float, float]:
    """Location and scale by the LSTM's equations, an order after the other from the oldest on."""
    weights = {name: values.numpy() for name, values in network().state_dict().items()}
    mean, deviation = weights["mean"], weights["deviation"]
    kind = [2] + [0] * LENGTH + [1] * LENGTH  # of each column, its place in mean and deviation
    count, *read = (np.log1p(row) - mean[kind]) / deviation[kind]
    memory = cell = np.zeros(6)
    for gap, amount in reversed(list(zip(read[:LENGTH], read[LENGTH:], strict=True))):
        known = ~np.isnan([gap, amount])
        step = np.concatenate([np.where(known, [gap, amount], 0), known])
        enters, stays, new, leaves = np.split(
            weights["lstm.weight_ih_l0"] @ step + weights["lstm.bias_ih_l0"]
            + weights["lstm.weight_hh_l0"] @ memory + weights["lstm.bias_hh_l0"],
            4,
        )  # fmt: skip
        cell = expit(stays) * cell + expit(enters) * np.tanh(new)
        memory = expit(leaves) * np.tanh(cell)
    hidden = weights["hidden.weight"] @ [*memory, count] + weights["hidden.bias"]
    answer = weights["answer.weight"] @ np.maximum(hidden, 0) + weights["answer.bias"]
    return mean[3] + deviation[3] * answer[0], deviation[3] * np.exp(answer[1])


@pytest.mark.parametrize("likelihood", ["log-normal", "weibull"])
def test_the_curves_are_those_that_the_equations_and_scipy_give(likelihood: str) -> None:
    location, scale = np.transpose([by_hand(row) for row in matrix(30)])[:, :, None]
    distribution = (
        stats.lognorm(scale, scale=np.exp(location))
        if likelihood == "log-normal"
        else stats.weibull_min(1 / scale, scale=np.exp(location))
    )
    curves = model(likelihood).survival(matrix(30))
    expected = distribution.logsf(DAYS)
    known = np.isfinite(expected)  # far out SciPy's log-normal survival is 0
    assert known.mean() > 0.9
    np.testing.assert_allclose(curves.log_s[known], expected[known], rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(curves.days, DAYS)


def test_a_customer_gets_the_same_curve_alone_and_among_many() -> None:
    many = matrix(BLOCK + 10)
    together = model().survival(many).log_s
    for row in (0, 1, BLOCK - 1, BLOCK, BLOCK + 9):
        alone = model().survival(many[row : row + 1]).log_s
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5)
    assert model().survival(many[:0]).log_s.shape == (0, len(DAYS))


@pytest.mark.parametrize("column", range(len(NAMES)), ids=NAMES)
def test_every_feature_moves_the_curve(column: int) -> None:
    rows = np.full((2, len(NAMES)), 20, np.float32)
    rows[1, column] = 40
    one, other = model().survival(rows).log_s
    assert np.abs(one - other).max() > 1e-5


def test_a_step_that_is_missing_is_not_an_average_step() -> None:
    average = np.expm1(np.array([[1.5, *[3.0] * LENGTH, *[4.0] * LENGTH]], np.float32))
    missing = average.copy()
    missing[0, LENGTH] = np.nan
    assert np.abs(model().survival(average).log_s - model().survival(missing).log_s).max() > 1e-5


@settings(max_examples=50)
@given(
    st.sampled_from(["log-normal", "weibull"]),
    st.lists(st.floats(0, 2.0**40, width=32), min_size=len(NAMES), max_size=len(NAMES)),
    st.tuples(*[st.sampled_from([-1e3, 0.0, 1e3])] * 2),
    st.floats(1, 1e4),
)
def test_neither_wild_features_nor_a_wild_network_break_a_curve(
    likelihood: str, features: list[float], answer: tuple[float, float], waited: float
) -> None:
    wild = model(likelihood, np.geomspace(1, 7300, 40))
    with torch.no_grad():
        wild.network.answer.bias[:] = torch.tensor(answer)
    curve = wild.survival(np.array([features], np.float32))
    assert np.isfinite(curve.log_s).all()
    assert (np.diff(curve.log_s, axis=1) <= 0).all()
    assert 0 <= curve.probability_within(30, waited)[0] <= 1
    assert curve.quantile(0.5, waited)[0] >= waited


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:100],
        lambda content: content[:0],
        lambda content: b"\x80\x04" + content[2:],
        lambda content: content.replace(b"F32", b"F64", 1),
        lambda content: content.replace(b"answer.bias", b"answer.base", 1),
    ],
    ids=["shortened", "cut", "emptied", "not safetensors", "of other numbers", "of other names"],
)
def test_a_damaged_file_is_refused(damage: Callable[[bytes], bytes]) -> None:
    ((name, content),) = model().files().items()
    with pytest.raises(ModelMismatch, match="copy the whole model again"):
        LstmModel.load({name: damage(content)}, NAMES, model().parameters)


@pytest.mark.parametrize("name", ["hidden_size", "layers"])
def test_a_manifest_that_describes_another_network_is_refused(name: str) -> None:
    for size in (2, 10**9):
        with pytest.raises(ModelMismatch, match=r"model\.safetensors .*manifest"):
            LstmModel.load(model().files(), NAMES, model().parameters | {name: size})


def test_weights_that_are_no_numbers_are_refused() -> None:
    broken = model()
    with torch.no_grad():
        broken.network.answer.bias[0] = torch.nan
    with pytest.raises(ModelMismatch, match="damaged"):
        LstmModel.load(broken.files(), NAMES, broken.parameters)


@pytest.mark.parametrize("names", [NAMES[::-1], NAMES[:-1], ("order_count", "tenure", "gap_last")])
def test_a_manifest_that_lists_other_features_is_refused(
    names: tuple[str, ...],
) -> None:
    with pytest.raises(ModelMismatch, match="manifest"):
        LstmModel.load(model().files(), names, model().parameters)
