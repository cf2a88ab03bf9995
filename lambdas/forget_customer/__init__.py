"""Remove a customer from the table and from every object of a market."""
