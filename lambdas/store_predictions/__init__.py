"""Put a run's predictions into the table."""
