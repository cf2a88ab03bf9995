"""Write the predictions of a run to the table."""
