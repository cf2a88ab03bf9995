"""Where everything of one run of one market lies in the bucket."""

from __future__ import annotations

from dataclasses import dataclass

ROOT = "runs/"
MODELS = "models/"
SUCCESS = "_SUCCESS"


@dataclass(frozen=True)
class Run:
    """The keys of one run of one market. Prefixes end in a slash, except `prefix` itself.

    >>> run = Run("shop", "night-7", "uk")
    >>> run.uri(run.score_part(3))
    's3://shop/runs/night-7/uk/score/part-00003.jsonl'
    """

    bucket: str
    run_id: str
    market: str

    @property
    def prefix(self) -> str:
        """Everything of the run lies under this, and a slash."""
        return f"{ROOT}{self.run_id}/{self.market}"

    @property
    def train(self) -> str:
        """Order lines as they came, for the training job."""
        return f"{self.prefix}/train/"

    @property
    def score(self) -> str:
        """Customers to be scored."""
        return f"{self.prefix}/score/"

    @property
    def model(self) -> str:
        """What training jobs leave, a folder each; without a slash at the end.

        Apart from the run's other files, which expire: a champion is needed for longer.
        """
        return f"{MODELS}{self.market}/{self.run_id}"

    @property
    def predictions(self) -> str:
        """What the transform job leaves: an object for each part."""
        return f"{self.prefix}/predictions/"

    @property
    def stored(self) -> str:
        """What came of every object of predictions."""
        return f"{self.prefix}/stored/"

    @property
    def rejects(self) -> str:
        """Lines of predictions that could not be stored."""
        return f"{self.prefix}/rejects/"

    @property
    def success(self) -> str:
        """The extraction's account, written last."""
        return f"{self.prefix}/{SUCCESS}"

    @property
    def metrics(self) -> str:
        """The model's metrics, kept as long as the model."""
        return f"{self.model}/metrics.json"

    @property
    def verdict(self) -> str:
        """Whether the model was promoted, and why."""
        return f"{self.prefix}/verdict.json"

    def train_shard(self, number: int) -> str:
        """The order lines of one share of the customers."""
        return f"{self.train}shard-{number:05}.parquet"

    def score_part(self, number: int) -> str:
        """One file of customers, a line each."""
        return f"{self.score}part-{number:05}.jsonl"

    def stored_part(self, predictions: str) -> str:
        """The progress of storing the object of predictions with the key `predictions`."""
        return f"{self.stored}{_part(predictions)}.json"

    def rejects_part(self, predictions: str) -> str:
        """The lines of the object of predictions `predictions` that could not be stored."""
        return f"{self.rejects}{_part(predictions)}.jsonl"

    def uri(self, key: str) -> str:
        """A key, or a prefix, of the run as others name it."""
        return f"s3://{self.bucket}/{key}"


def _part(key: str) -> str:
    """``runs/…/part-00003.jsonl.out`` is ``part-00003``."""
    return key.rpartition("/")[2].partition(".")[0]
