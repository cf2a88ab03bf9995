"""Leads: people with dated events and attributes, and no order yet.

In the sequence of the work: `reading` makes a `table` of files or frames, `leaks` refuses what is
known only of those who ordered, and `features` makes a row of what was known of a lead on a day.
"""
