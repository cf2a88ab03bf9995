"""Mirror a model's folder into an MLflow server, as the pipeline's track_model does.

    python -m examples.with_mlflow --uri http://127.0.0.1:5000 --model run/model --champion

A model that is there already is not mirrored again. MLFLOW_TRACKING_USERNAME and
MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, are sent to a server that asks for them. Then,
where MLflow and Ordergap are installed:

    model = mlflow.pyfunc.load_model("models:/ordergap@champion")
    model.predict(orders, params={"as_of": "2011-12-09"})
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lambdas.shared.errors import NotTracked
from lambdas.track_model.mirror import mirror, point
from lambdas.track_model.model import Model
from lambdas.track_model.server import Server, authorization


def read(folder: Path) -> Model:
    """The model in a folder, as `ordergap train` leaves it."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return Model({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m examples.with_mlflow",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--uri", required=True, help="address of the MLflow server")
    top.add_argument("--model", required=True, type=Path, help="folder of the model")
    top.add_argument("--name", default="ordergap", help="of experiment and registered model")
    top.add_argument("--champion", action="store_true", help="give it the alias champion")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Mirror a model and say its version; 1 where MLflow does not take it."""
    options = parser().parse_args(arguments)
    model = read(options.model)
    login = (os.environ.get(f"MLFLOW_TRACKING_{x}", "") for x in ("USERNAME", "PASSWORD", "TOKEN"))
    try:
        server = Server(options.uri, authorization(*login))
        source = f"model:{model.model_version}"
        version = mirror(server, options.name, source, lambda: model, {})
        if options.champion:
            point(server, options.name, version)
    except NotTracked as error:
        print(error, file=sys.stderr)
        return 1
    print(f"version {version} of {options.name} is model {model.model_version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
