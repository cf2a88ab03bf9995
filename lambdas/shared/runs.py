"""The keys of all objects of one run of one market.

See docs/decisions/pipeline.md#models-outlive-their-runs.
"""

from __future__ import annotations

from dataclasses import dataclass

ROOT = "runs/"
MODELS = "models/"
FEEDS = "feeds/"
COHORTS = "cohorts/"
SUCCESS = "_SUCCESS"
RUNNING = f"{ROOT}running.json"
"""The execution that runs each market, or the last one that did."""


@dataclass(frozen=True)
class Run:
    """The keys of one run of one market. Prefixes end in a slash, except `prefix` and `model`.

    >>> run = Run("shop", "night-7", "uk")
    >>> run.uri(run.score_part(3))
    's3://shop/runs/night-7/uk/score/part-00003.jsonl'
    """

    bucket: str
    run_id: str
    market: str

    @property
    def prefix(self) -> str:
        """The prefix of all keys of the run, before a slash."""
        return f"{ROOT}{self.run_id}/{self.market}"

    @property
    def train(self) -> str:
        """Order lines as extracted, for the training job."""
        return f"{self.prefix}/train/"

    @property
    def customers(self) -> str:
        """Attributes of the customers, for the training job."""
        return f"{self.prefix}/customers/"

    @property
    def leads(self) -> str:
        """Leads and their events, for the training job."""
        return f"{self.prefix}/leads/"

    @property
    def score(self) -> str:
        """Scoring records, for the transform job."""
        return f"{self.prefix}/score/"

    @property
    def model(self) -> str:
        """The output of training jobs, a folder each.

        It lies apart from the run's other files, which expire: a champion is used for longer.
        """
        return f"{MODELS}{self.market}/{self.run_id}"

    @property
    def predictions(self) -> str:
        """The output of the transform job, an object for each part."""
        return f"{self.prefix}/predictions/"

    @property
    def stored(self) -> str:
        """Ledgers, one for each object of predictions."""
        return f"{self.prefix}/stored/"

    @property
    def rejects(self) -> str:
        """Lines of predictions that could not be stored."""
        return f"{self.prefix}/rejects/"

    @property
    def success(self) -> str:
        """The extraction's manifest, written last."""
        return f"{self.prefix}/{SUCCESS}"

    @property
    def metrics(self) -> str:
        """The model's metrics, kept as long as the model."""
        return f"{self.model}/metrics.json"

    @property
    def kept_success(self) -> str:
        """A copy of the extraction's manifest, kept as long as the model."""
        return f"{self.model}/{SUCCESS}"

    @property
    def kept_days(self) -> str:
        """A copy of the extraction's sums by day, kept as long as the model."""
        return f"{self.model}/days.json"

    @property
    def card(self) -> str:
        """The content of the model's card."""
        return f"{self.model}/card.json"

    @property
    def verdict(self) -> str:
        """Whether the model was promoted, and why."""
        return f"{self.prefix}/verdict.json"

    @property
    def days(self) -> str:
        """The extraction's sums by day."""
        return f"{self.prefix}/days.json"

    @property
    def feed(self) -> str:
        """What was decided of these sums; there is none where they were refused."""
        return f"{self.prefix}/feed.json"

    @property
    def accepted(self) -> str:
        """The sums of the market's last full extraction that was accepted; they do not expire."""
        return f"{FEEDS}{self.market}/accepted.json"

    @property
    def flags(self) -> str:
        """What the market's forecasts were found to lack; it does not expire."""
        return f"{FEEDS}{self.market}/flags.json"

    @property
    def cohorts(self) -> str:
        """The market's kept forecasts, one Parquet file a week, and manifests of their models."""
        return f"{COHORTS}{self.market}/"

    @property
    def challenger(self) -> str:
        """The forecasts of a model that is only compared."""
        return f"{self.prefix}/challenger/"

    @property
    def followed(self) -> str:
        """What became of the kept forecasts: the output of the processing job."""
        return f"{self.prefix}/follow/"

    @property
    def followed_json(self) -> str:
        """The grades of the kept forecasts."""
        return f"{self.followed}follow.json"

    @property
    def followed_page(self) -> str:
        """The same as a page."""
        return f"{self.followed}follow.html"

    @property
    def newest_followed(self) -> str:
        """The grades of the last run that was judged, which expire as late as its forecasts."""
        return f"{self.cohorts}follow.json"

    @property
    def page(self) -> str:
        """The page of the last run that was judged."""
        return f"{self.cohorts}follow.html"

    @property
    def attributes(self) -> str:
        """The attributes of all customers."""
        return f"{self.customers}attributes.parquet"

    def train_shard(self, number: int) -> str:
        """The order lines of one shard of the customers."""
        return f"{self.train}shard-{number:05}.parquet"

    def score_part(self, number: int) -> str:
        """One file of scoring records."""
        return f"{self.score}part-{number:05}.jsonl"

    def stored_part(self, predictions: str) -> str:
        """The ledger of the object of predictions with the key `predictions`."""
        return f"{self.stored}{_part(predictions)}.json"

    def rejects_part(self, predictions: str) -> str:
        """The lines of the object of predictions `predictions` that could not be stored."""
        return f"{self.rejects}{_part(predictions)}.jsonl"

    def uri(self, key: str) -> str:
        """The S3 URI of a key or prefix."""
        return f"s3://{self.bucket}/{key}"


def _part(key: str) -> str:
    """``runs/…/part-00003.jsonl.out`` is ``part-00003``."""
    return key.rpartition("/")[2].partition(".")[0]
