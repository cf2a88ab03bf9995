"""Attributes of customers in training: read on every host, and joined to the orders.

See docs/decisions/data.md#attributes-are-a-channel-of-their-own.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping

import numpy as np

from ordergap.attributes import AttributeTable, Differs
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.orders import Conventions
from ordergap.contract.trainers import TreeParameters
from ordergap.errors import DataError, InvalidHyperparameters
from ordergap.histories import Histories
from ordergap.hosts import ALONE, Hosts
from ordergap.ingest import attributes
from ordergap.ingest.attributes import Customers, ReadAttributes
