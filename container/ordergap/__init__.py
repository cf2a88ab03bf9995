"""Ordergap: when will each customer buy next?"""

__version__ = "0.1.0"
