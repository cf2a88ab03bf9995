"""What the Python interface has of backtests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordergap.progress import progress
from ordergap.scoring.leads import LeadForecaster

if TYPE_CHECKING:
    from ordergap.backtest.run import Backtest
    from ordergap.ingest import Orders
    from ordergap.ingest.attribute_rows import Customers
    from ordergap.leads.reading import LeadSource


class Backtested(LeadForecaster):
    """A fitted model whose hyperparameters are judged at past days."""

    def backtest(
        self,
        orders: Orders,
        cutoffs: int = 4,
        *,
        leads: LeadSource | None = None,
        customers: Customers | None = None,
        jobs: int = 1,
        quiet: bool = False,
    ) -> Backtest:
        """Learn anew at several past days, and judge by what came after, beside baselines.

        The models have the hyperparameters of this one; `print` the result for tables and, at the
        end, a verdict of a few lines on each question.

        orders     as in `fit`
        cutoffs    how many past days, spread over the third quarter of the time span
        leads      as in `fit`; None: the first order of leads is not judged
        customers  as in `fit`
        jobs       cutoffs worked on at once, each in a process of its own; in a script, then, the
                   call must stand under ``if __name__ == "__main__":``
        quiet      whether to show neither progress nor warnings

        Raises DataError as `fit` does, NothingToLearn for less than 60 days or where no past day
        can be judged, and UserError for numbers below 1.
        """
        from ordergap.backtest.run import backtest  # noqa: PLC0415 - only learning needs it

        with progress(quiet=quiet):
            return backtest(self.manifest.hyperparameters, orders, cutoffs, jobs, leads, customers)
