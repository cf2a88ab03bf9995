"""How good forecasts are: metrics that censoring cannot flatter, and intervals around them."""
