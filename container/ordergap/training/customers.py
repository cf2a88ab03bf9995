"""Attributes of customers in training: read on every host, and joined to the orders.

See docs/decisions/data.md#attributes-are-a-channel-of-their-own.
"""

from __future__ import annotations

import hashlib
import logging

from ordergap import features
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.orders import Conventions
from ordergap.contract.trainers import TreeParameters
from ordergap.errors import DataError, InvalidHyperparameters
from ordergap.histories import Histories
from ordergap.hosts import ALONE, Hosts
from ordergap.ingest import attributes, has_data
from ordergap.ingest.attribute_rows import Customers
from ordergap.ingest.attributes import ReadAttributes

log = logging.getLogger("ordergap")


def read(
    source: Customers | None,
    hyperparameters: Hyperparameters,
    known: Conventions,
    content_type: str | None = None,
    hosts: Hosts = ALONE,
) -> ReadAttributes | None:
    """The attributes that the hyperparameters name, which all hosts must have alike; None: none.

    known  conventions of the orders

    Raises InvalidHyperparameters where attributes are named and no customers are given, and
    DataError as `ingest.attributes.read` does, and where hosts differ.
    """
    h, there = hyperparameters, source is not None and has_data(source)
    if not h.attribute_names:
        if there:
            log.warning(
                "Customers are given and have no effect: name their columns in numeric_attributes "
                "or category_attributes."
            )
        return None
    if not hosts.any(there):
        problem = (
            f"attributes are named ({', '.join(h.attribute_names[:5])}) and no customers are "
            "given: give them with --customers_path, with customers=, or as the channel customers"
        )
        raise InvalidHyperparameters([problem])
    if not isinstance(h.trainer, TreeParameters):
        log.warning(
            "Attributes have no effect on the date: the trainer %s does not read them.",
            h.trainer.name,
        )
    found, digest = None, b""
    if source is not None and there:
        found = attributes.read(source, h, h.columns, known, content_type)
        digest = hashlib.sha256(found.table.content()).digest()
    if len({*hosts.gather(digest)}) > 1:
        raise DataError(
            "the hosts have different customers: set the S3DataDistributionType of the channel "
            "customers to FullyReplicated"
        )
    return found


def joined(histories: Histories, found: ReadAttributes | None) -> tuple[Histories, tuple[str, ...]]:
    """The orders with the attributes of their customers, and notes on both, which are logged."""
    if found is None:
        return histories, ()
    whole, notes, warnings = attributes.join(histories, found)
    notes += features.others(whole, features.attribute_names(whole))
    for note in notes:
        log.info("  %s", note)
    for warning in (*found.warnings, *warnings):
        log.warning("  %s", warning)
    return whole, (*notes, *found.warnings, *warnings)
