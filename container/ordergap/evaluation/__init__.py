"""How good forecasts are: metrics that censoring cannot flatter, and intervals around them.

See docs/decisions/evaluation.md#what-is-left-is-the-season.
"""
