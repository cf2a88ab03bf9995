"""ordergap train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ordergap.cli import main, options
from ordergap.sagemaker.opt_ml import OptMl
from ordergap.sagemaker.stopping import stop_on_sigterm
from ordergap.settings import JobSettings


def run(words: Sequence[str]) -> None:
    """Make a model of a file of transactions."""
    with stop_on_sigterm() as stopping:
        parser = options.parser(
            "train",
            "Make a model of a file of transactions.",
            "where the model goes",
            "[--file_path PATH] [--NAME VALUE ...]",
        )
        parser.epilog = f"environment:\n{JobSettings.describe()}"
        options.add_file_path(parser, required=False)
        options.add_leads_path(parser)
        options.add_customers_path(parser)
        parser.add_argument(
            "--checkpoint_dir",
            type=Path,
            metavar="DIR",
            help="folder from which a killed job resumes (default: /opt/ml/checkpoints, if there)",
        )
        options.add_hyperparameters(parser)
        parsed, hyperparameters = options.hyperparameters(parser, words)
        opt_ml = OptMl(parsed.opt_ml)
        with _failure_file(opt_ml):
            options.use_all_processors()
            from ordergap.sagemaker import command  # noqa: PLC0415 - numeric, so after the threads

            command.train(
                opt_ml,
                JobSettings.from_environment(),
                hyperparameters,
                parsed.file_path,
                options.model_places(parsed, platform=opt_ml.config.is_dir())[0],
                parsed.checkpoint_dir,
                stopping,
                parsed.leads_path,
                parsed.customers_path,
            )


@contextmanager
def _failure_file(opt_ml: OptMl) -> Iterator[None]:
    """Under the platform, a failing job leaves its reason where the platform shows it."""
    try:
        opt_ml.forget_failure()
        yield
    except Exception as error:
        if opt_ml.config.is_dir():
            opt_ml.fail(main.reason(error))
        raise
