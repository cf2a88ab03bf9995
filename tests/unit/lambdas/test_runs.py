from lambdas.shared.runs import Run

RUN = Run("shop", "night-7", "uk")


def test_everything_of_a_run_that_expires_lies_under_its_prefix_and_the_model_elsewhere() -> None:
    predictions = RUN.predictions + "part-00003.jsonl.out"
    keys = [
        RUN.train_shard(0), RUN.score_part(0), RUN.success, RUN.verdict,
        RUN.stored_part(predictions), RUN.rejects_part(predictions), predictions,
    ]  # fmt: skip
    assert all(key.startswith("runs/night-7/uk/") for key in keys)
    assert all(key.startswith("models/uk/night-7") for key in (RUN.model, RUN.metrics))
    assert len({*keys, RUN.metrics, RUN.model}) == len(keys) + 2
    assert RUN.prefix == "runs/night-7/uk"


def test_files_of_one_part_bear_one_number() -> None:
    predictions = RUN.predictions + RUN.score_part(12).rpartition("/")[2] + ".out"
    assert predictions == "runs/night-7/uk/predictions/part-00012.jsonl.out"
    assert RUN.stored_part(predictions) == "runs/night-7/uk/stored/part-00012.json"
    assert RUN.rejects_part(predictions) == "runs/night-7/uk/rejects/part-00012.jsonl"


def test_parts_and_shards_sort_as_they_are_numbered() -> None:
    assert RUN.train_shard(9) < RUN.train_shard(10) < RUN.train_shard(99_999)
    assert RUN.score_part(9) < RUN.score_part(10) < RUN.score_part(99_999)


def test_a_uri_names_bucket_and_key() -> None:
    assert RUN.uri(RUN.train) == "s3://shop/runs/night-7/uk/train/"
    assert RUN.uri(RUN.model) == "s3://shop/models/uk/night-7"
