"""Ordergap: when will each customer buy next?

    import ordergap

    print(ordergap.inspect("orders.csv"))
    model = ordergap.fit("orders.csv", customer_column="Email", date_column="Created at")
    model.predict("orders.csv", horizons=[7, 30])

`inspect` says what a file is; `fit` and `load` give a `Forecaster`; what goes wrong is an error of
`ordergap.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ordergap import errors
    from ordergap.forecaster import Forecaster, fit, load
    from ordergap.inspection import inspect

__version__ = "0.1.0"
__all__ = ["Forecaster", "__version__", "errors", "fit", "inspect", "load"]


def __getattr__(name: str) -> Any:
    """The interface, imported when it is used: other modules of the package need none of it."""
    from importlib import import_module  # noqa: PLC0415

    if name == "errors":
        return import_module("ordergap.errors")
    if name == "inspect":
        return import_module("ordergap.inspection").inspect
    if name in __all__:
        return getattr(import_module("ordergap.forecaster"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
