"""Stored forecasts graded by the orders that came later: was it right?

In the sequence of the work: `models` finds the manifests, `choice` takes one cohort a week,
`outcomes` says what came, `grades` judges a cohort, `alarms` looks over all of them, `run` does it
all.

See docs/decisions/evaluation.md#the-level-has-an-allowance-for-the-season.
"""
