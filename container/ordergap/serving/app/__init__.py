"""The Flask application: routes, errors, counts and logs."""
