"""What strangers may know of us: the shapes of data that cross the product's edges.

Law: standard library and pydantic only, so that a Lambda, a notebook or a test can import it.
"""
