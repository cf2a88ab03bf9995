"""The application: routes, limits, the log, counts and metrics."""
