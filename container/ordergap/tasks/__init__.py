"""The tasks: what there is to learn for each question about a customer, and how it is judged."""
