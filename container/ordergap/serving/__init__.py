"""The server and the scoring of files.

Law: rows in = rows out, in the order asked; nothing here learns; importing loads no model.
"""
