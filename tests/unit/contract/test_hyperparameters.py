"""Every form a hyperparameter can arrive in, and what is said of a wrong one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.column_names import column_name
from ordergap.contract.hyperparameters import NAMES, Hyperparameters, parse
from ordergap.contract.orders import NON_PRODUCT_CODES, Columns
from ordergap.contract.trainers import TRAINERS
from ordergap.errors import InvalidHyperparameters
from pydantic import ValidationError

COLUMNS = [name for name in Columns.model_fields if name.endswith("_column")]

# For every hyperparameter a value that is not its default.
OTHER: dict[str, object] = {
    "customer_column": "Kunde", "date_column": "Datum", "order_column": "Beleg",
    "product_column": "Artikel", "quantity_column": "Menge", "price_column": "Preis",
    "amount_column": "Betrag", "date_format": "%d.%m.%Y", "non_product_codes": ["PORTO", "1E5"],
    "preset": "shopify", "status_column": "Zustand", "excluded_statuses": ["storniert"],
    "time_zone": "Europe/Berlin", "decimal": "comma", "encoding": "cp1250", "header_line": 4,
    "no_customer_words": ["Bar"], "duplicates": "keep", "free_orders": "on", "max_unreadable": 0.5,
    "amounts": "unknown", "hashed_columns": ["Artikel", "1E5"], "hash_buckets": 64,
    "trainer": "random-forest", "objective": "aft", "seed": 7, "device": "cpu", "horizons": [7, 14],
    "interval_level": 0.9, "max_horizon_days": 200, "outlier_contamination": 0, "calendar": "on",
    "sequence_length": 5, "validation_fraction": 0.5, "time_bins": 9, "num_round": 50,
    "most_orders": 20_000,
    "early_stopping_rounds": 0, "eta": 0.5, "max_depth": 6, "min_child_weight": 1.5,
    "subsample": 1, "colsample_bytree": 0.3, "lambda": 2, "alpha": 0.25, "epochs": 3,
    "batch_size": 64, "learning_rate": 0.01, "hidden_size": 8, "layers": 2, "dropout": 0,
    "likelihood": "weibull",
    "value": "off", "value_horizon": 60, "value_cutoffs": 3, "value_step_days": 30,
    "tweedie_power": 1.2, "large_orders": "off", "large_thresholds": [50.0, 100.0],
    "lead_numeric_attributes": ["age", "1E5"], "lead_category_attributes": ["source"],
    "lead_leaks_allowed": ["orders"], "lead_cutoffs": 5, "lead_step_days": 7,
    "numeric_attributes": ["Age", "1E5"], "category_attributes": ["Region", "7"],
}  # fmt: skip


def problems_of(raw: Mapping[str, object]) -> tuple[str, ...]:
    with pytest.raises(InvalidHyperparameters) as caught:
        parse(raw)
    return caught.value.problems


def as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def field(hyperparameters: Hyperparameters, name: str) -> object:
    return hyperparameters.flat()[name]


def alone(name: str, value: object) -> dict[str, object]:
    """The hyperparameter, and the trainer that has it."""
    owners = NAMES[name].owners
    return {name: value} | ({"trainer": owners[0]} if owners else {})


def test_nothing_given_is_every_default() -> None:
    assert parse({}) == Hyperparameters()


def test_the_table_of_other_values_names_every_hyperparameter() -> None:
    assert set(OTHER) == set(NAMES)


@pytest.mark.parametrize("name", OTHER)
def test_every_hyperparameter_is_read_as_str_writes_it(name: str) -> None:
    assert field(parse(alone(name, str(OTHER[name]))), name) == OTHER[name]


def test_a_tuple_none_and_true_are_read_as_str_writes_them() -> None:
    raw = {"horizons": "(7, 14)", "trainer": "None", "calendar": "True"}
    assert parse(raw) == Hyperparameters(horizons=(7, 14), calendar="on")
    assert parse({"calendar": "false"}).calendar == "off"


def test_a_text_of_a_thousand_brackets_is_refused_as_any_other() -> None:
    assert len(problems_of({"horizons": "[" * 2000})) == 1


@pytest.mark.parametrize("name", OTHER)
def test_every_hyperparameter_arrives_in_every_form(name: str) -> None:
    value = OTHER[name]
    text = as_text(value)
    assert field(parse(alone(name, None)), name) != value
    for form in (value, text, f" {text} ", json.dumps(text), json.dumps(value)):
        assert field(parse(alone(name, form)), name) == value


@pytest.mark.parametrize("name", OTHER)
def test_a_dash_is_as_good_as_an_underscore(name: str) -> None:
    dashed = {key.replace("_", "-"): value for key, value in alone(name, OTHER[name]).items()}
    assert field(parse(dashed), name) == OTHER[name]


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("nothing", [None, "", "  ", "null", '"null"', '""'])
def test_null_or_an_empty_text_is_the_default(name: str, nothing: object) -> None:
    assert parse({name: nothing}) == Hyperparameters()


@pytest.mark.parametrize(
    "form", ["14,7", " 14 , 7 ", "[14, 7]", '"[14, 7]"', '["14", "7"]', [7, 14, 7], (14.0, "7")]
)
def test_horizons_are_a_list_in_any_form_and_come_out_rising(form: object) -> None:
    assert parse({"horizons": form}).horizons == (7, 14)


@pytest.mark.parametrize("form", ["30", 30, "[30]", '"30"', "30.0"])
def test_one_horizon_is_a_list_of_one(form: object) -> None:
    assert parse({"horizons": form}).horizons == (30,)


@pytest.mark.parametrize(
    ("form", "codes"),
    [
        ("POST,DOT", ("POST", "DOT")),
        ("BANK CHARGES", ("BANK CHARGES",)),
        ("007", ("007",)),
        ("1E5", ("1E5",)),
        ("7,1E5", ("7", "1E5")),
        ('"POST, M"', ("POST", "M")),
        ('["POST", "A,B"]', ("POST", "A,B")),
        ("[]", ()),
        ("null", NON_PRODUCT_CODES),
    ],
)
def test_codes_stay_the_text_they_are(form: str, codes: tuple[str, ...]) -> None:
    assert parse({"non_product_codes": form}).columns.non_product_codes == codes


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("column", ["0", "1e5", "true", "[a]", "{x}", "Kunden-Nr.", "2.50"])
def test_a_columns_name_stays_the_text_it_is(name: str, column: str) -> None:
    assert field(parse({name: column}), name) == column
    assert field(parse({name: json.dumps(column)}), name) == column


@given(st.text().filter(lambda text: text.strip() not in {"", "null"} and text.strip()[0] != '"'))
def test_any_column_name_survives_being_encoded(column: str) -> None:
    assert parse({"date_column": json.dumps(column)}).columns.date_column == column_name(column)


def test_the_platforms_own_keys_are_passed_over() -> None:
    raw = {
        "sagemaker_program": "train.py", "sagemaker_region": '"eu-west-1"', "seed": "7",
        "sagemaker-submit-directory": "s3://…", "_tuning_objective_metric": '"brier_30"',
    }  # fmt: skip
    assert parse(raw) == Hyperparameters(seed=7)


def test_what_is_unknown_is_named_with_the_nearest_name() -> None:
    assert problems_of({"max_dept": "3"}) == (
        "max_dept is not a hyperparameter: did you mean max_depth?",
    )
    assert problems_of({"--horizon": "3"})[0].endswith("did you mean horizons?")
    assert problems_of({"lambda_": 1})[0].endswith("did you mean lambda?")
    assert problems_of({"qqq": "3"}) == ("qqq is not a hyperparameter",)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"max_depth": "deep"},
         "max_depth = 'deep': must be a whole number, at least 1, at most 20"),
        ({"max_depth": "6.5"}, "max_depth = 6.5: must be a whole number, at least 1, at most 20"),
        ({"max_depth": "true"},
         "max_depth = 'true': must be a whole number, at least 1, at most 20"),
        ({"max_depth": True}, "max_depth = 'true': must be a whole number, at least 1, at most 20"),
        ({"seed": '{"a": 1}'},
         "seed = {'a': 1}: must be a whole number, at least 0, at most 2147483647"),
        ({"eta": "2"}, "eta = 2: must be a number, above 0, at most 1"),
        ({"trainer": {"name": "naive"}},
         "trainer = {'name': 'naive'}: must be one of xgboost, lstm, random-forest, naive"),
        ({"trainer": '{"name": "lstm", "eta": 1}', "seed": 7, "date_column": "Day"},
         ("trainer = {'name': 'lstm', 'eta': 1}: must be one of "
         "xgboost, lstm, random-forest, naive")),
        ({"eta": "NaN"}, "eta = nan: must be a number, above 0, at most 1"),
        ({"eta": "Infinity"}, "eta = inf: must be a number, above 0, at most 1"),
        ({"alpha": "-1"}, "alpha = -1: must be a number, at least 0"),
        ({"lambda": "-1"}, "lambda = -1: must be a number, at least 0"),
        ({"dropout": "1", "trainer": "lstm"}, "dropout = 1: must be a number, at least 0, below 1"),
        ({"interval_level": "80"},
         "interval_level = 80: must be a number, at least 0.01, at most 0.99"),
        ({"trainer": "XGBoost"},
         "trainer = 'XGBoost': must be one of xgboost, lstm, random-forest, naive"),
        ({"calendar": "yes"}, "calendar = 'yes': must be one of auto, on, off"),
        ({"horizons": "0"},
         ("horizons = 0: must be one or more separated by commas, "
          "each a whole number, at least 1, at most 3650")),
        ({"customer_column": 5}, "customer_column = 5: must be text"),
        ({"amount_column": 5}, "amount_column = 5: must be text"),
        ({"non_product_codes": [1]},
         "non_product_codes = [1]: must be one or more separated by commas, each text"),
        ({"max-depth": 5, "max_depth": 5}, "max_depth is given twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_value_and_what_is_allowed(
    raw: dict[str, object], sentence: str
) -> None:
    assert problems_of(raw) == (sentence,)


@pytest.mark.parametrize(
    "form", ["[]", "0", "30,3651", "30,x", "30;60", "[30, null]", "[[30]]", "30.5"]
)
def test_horizons_that_cannot_be_are_one_problem(form: str) -> None:
    (problem,) = problems_of({"horizons": form})
    assert problem.startswith("horizons = ")


def test_every_problem_is_told_at_once() -> None:
    raw = {"eta": "9", "sed": "1", "seed": "-1", "horizons": "0,x", "max_depth": "6", "zzz": ""}
    problems = problems_of(raw)
    assert [problem.split()[0] for problem in problems] == ["sed", "zzz", "eta", "seed", "horizons"]
    with pytest.raises(
        InvalidHyperparameters, match=r"sed is not .*; zzz .*; eta = 9.*; seed = -1"
    ):
        parse(raw)


def test_a_long_value_is_cut_in_the_message() -> None:
    (problem,) = problems_of({"horizons": "x," * 5000})
    assert len(problem) < 250


@given(
    st.dictionaries(
        st.sampled_from(sorted(NAMES)) | st.text(max_size=12),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
        | st.lists(st.integers() | st.text(max_size=5), max_size=4)
        | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
        max_size=8,
    )
)  # fmt: skip
def test_whatever_is_given_is_refused_as_a_whole_or_fits_in_a_manifest(
    raw: dict[str, object],
) -> None:
    with suppress(InvalidHyperparameters):
        parsed = parse(raw)
        dumped = parsed.model_dump_json(by_alias=True)
        assert Hyperparameters.model_validate_json(dumped) == parsed


def test_hyperparameters_survive_json_under_the_names_they_are_given_by() -> None:
    for trainer in TRAINERS:
        parsed = parse(OTHER | {"trainer": trainer})
        text = parsed.model_dump_json(by_alias=True)
        assert Hyperparameters.model_validate_json(text) == parsed
        assert parse(parsed.flat()) == parsed
    assert parse(OTHER).flat()["lambda"] == 2


def test_hyperparameters_cannot_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Hyperparameters().seed = 7  # type: ignore[misc]


def test_the_columns_are_a_part_of_the_hyperparameters() -> None:
    columns = parse({"customer_column": "Kunde", "seed": "1"}).columns
    assert type(columns) is Columns
    assert columns == Columns(customer_column="Kunde")


def test_a_forest_has_defaults_of_its_own_and_hears_what_it_is_told() -> None:
    forest = parse({"trainer": "random-forest"}).flat()
    assert (forest["num_round"], forest["max_depth"]) == (100, 8)
    assert parse({"trainer": "random-forest", "max_depth": "3"}).flat()["max_depth"] == 3
    assert parse({}).flat()["max_depth"] == 4


def test_what_is_of_another_trainer_has_no_effect_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert parse({"epochs": "3"}) == Hyperparameters()
    assert "epochs has no effect: it is of lstm, and the trainer is xgboost." in caplog.text
    assert "early_stopping_rounds" not in caplog.text


def test_what_is_of_another_trainer_is_refused_where_it_is_wrong() -> None:
    with pytest.raises(ValidationError, match="epochs"):
        Hyperparameters.model_validate({"epochs": 3})
