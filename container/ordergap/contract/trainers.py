"""The trainers: what each is called, what it can be told, and where its code is.

A new trainer is a class here and its place in `AnyTrainer`, a module that fits, and one that
predicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

_STOPPING = "rounds or epochs without progress before stopping; 0: never"


class TrainerParameters(BaseModel):
    """What one trainer can be told; its field `name` has one value.

    fits      variant -> "module:Class" that fits
    predicts  kind of model -> "module:Class" that predicts, of the kinds that are its own
    budget    the parameter that says for how long it learns at most, and nothing else
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    fits: ClassVar[Mapping[str, str]]
    predicts: ClassVar[Mapping[str, str]] = {}
    budget: ClassVar[str] = ""

    name: str

    @property
    def variant(self) -> str:
        """Which of the classes of `fits` is meant; "" where there is one."""
        return ""


class TreeParameters(TrainerParameters):
    """What all trees of XGBoost can be told."""

    num_round: int
    max_depth: int
    eta: float = Field(0.05, gt=0, le=1, description="step size")
    min_child_weight: float = Field(20, ge=0, description="least weight in a leaf")
    subsample: float = Field(0.8, gt=0, le=1, description="share of rows that a tree sees")
    colsample_bytree: float = Field(
        0.8, gt=0, le=1, description="share of features that a tree sees"
    )
    lambda_: float = Field(1, ge=0, alias="lambda", description="L2 penalty")
    alpha: float = Field(0, ge=0, description="L1 penalty")

    @property
    def patience(self) -> int:
        """Rounds without progress before stopping; 0: never."""
        return 0


class XGBoostParameters(TreeParameters):
    """Gradient boosted trees."""

    fits: ClassVar[Mapping[str, str]] = {
        "hazard": "ordergap.trainers.hazard:HazardTrainer",
        "aft": "ordergap.trainers.xgboost:AftTrainer",
        "squared-error": "ordergap.trainers.xgboost:SquaredErrorTrainer",
    }
    predicts: ClassVar[Mapping[str, str]] = {
        "hazard": "ordergap.models.xgboost:HazardModel",
        "aft": "ordergap.models.xgboost:AftModel",
        "squared-error": "ordergap.models.xgboost:SquaredErrorModel",
    }
    budget: ClassVar[str] = "num_round"

    name: Literal["xgboost"] = "xgboost"
    objective: Literal["hazard", "aft", "squared-error"] = Field(
        "hazard", description="what the trees learn"
    )
    num_round: int = Field(600, ge=1, le=100_000, description="most boosting rounds")
    max_depth: int = Field(4, ge=1, le=20, description="depth of a tree")
    early_stopping_rounds: int = Field(50, ge=0, le=100_000, description=_STOPPING)

    @property
    def variant(self) -> str:
        """The objective."""
        return self.objective

    @property
    def patience(self) -> int:
        """Rounds without progress before stopping; 0: never."""
        return self.early_stopping_rounds


class LstmParameters(TrainerParameters):
    """A recurrent network over the last gaps and amounts."""

    fits: ClassVar[Mapping[str, str]] = {"": "ordergap.trainers.lstm:LstmTrainer"}
    predicts: ClassVar[Mapping[str, str]] = {"lstm": "ordergap.models.lstm:LstmModel"}
    budget: ClassVar[str] = "epochs"

    name: Literal["lstm"] = "lstm"
    epochs: int = Field(40, ge=1, le=10_000, description="most passes over the data")
    early_stopping_rounds: int = Field(50, ge=0, le=100_000, description=_STOPPING)
    sequence_length: int = Field(
        12, ge=1, le=200, description="last gaps and amounts that it reads"
    )
    batch_size: int = Field(512, ge=1, le=1_000_000, description="sequences a step")
    learning_rate: float = Field(0.003, gt=0, le=1, description="step size")
    hidden_size: int = Field(32, ge=1, le=1024, description="width of the memory")
    layers: int = Field(1, ge=1, le=8, description="stacked memories")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of units dropped")
    likelihood: Literal["log-normal", "weibull"] = Field(
        "log-normal", description="distribution of the gap"
    )


class RandomForestParameters(TreeParameters):
    """Trees grown side by side, in one round: fewer and deeper ones than boosting wants."""

    fits: ClassVar[Mapping[str, str]] = {"": "ordergap.trainers.hazard:RandomForestTrainer"}

    name: Literal["random-forest"] = "random-forest"
    num_round: int = Field(100, ge=1, le=100_000, description="trees")
    max_depth: int = Field(8, ge=1, le=20, description="depth of a tree")


class NaiveParameters(TrainerParameters):
    """The customer's mean gap, with one curve for everybody around it: nothing to set."""

    fits: ClassVar[Mapping[str, str]] = {"": "ordergap.trainers.naive:NaiveTrainer"}
    predicts: ClassVar[Mapping[str, str]] = {"naive": "ordergap.models.naive:NaiveModel"}

    name: Literal["naive"] = "naive"


AnyTrainer = XGBoostParameters | LstmParameters | RandomForestParameters | NaiveParameters
TrainerField = Annotated[AnyTrainer, Field(discriminator="name")]
TRAINERS: dict[str, type[TrainerParameters]] = {
    each.model_fields["name"].default: each for each in get_args(AnyTrainer)
}
