"""Say whether a run's forecasts are kept and held against the orders, and by which job."""
