"""The command line: ordergap train | serve | predict | due | backtest | follow.

What a command needs is imported once the command is known, so that `--help` answers at once and a
server does not carry what only training needs.
"""
