"""The documents, and what makes the parts of them that follow from the code."""
