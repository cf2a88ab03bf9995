"""What a file is, before anything is learnt from it, and whether it is like what a model learnt.

In the sequence of the work: `sample` takes the first rows as text, `contents` says what the cells
of a column look like, `names` what columns are called, `roles` chooses a column for every role,
`understanding` asks the reader how cells are read, `inspecting` reads all rows and puts the account
together, and `text` prints it. `checking` compares a file with what a model learnt from.
"""

from ordergap.inspection.checking import check
from ordergap.inspection.inspecting import inspect
from ordergap.inspection.result import Check, Inspection

__all__ = ["Check", "Inspection", "check", "inspect"]
