"""Reading the leads of a training job, on every host alike."""

from __future__ import annotations

import logging

import numpy as np

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.errors import DataError
from ordergap.histories import Histories
from ordergap.hosts import Hosts
from ordergap.ingest.attribute_names import lead_warning, may_change
from ordergap.leads import leaks
from ordergap.leads.reading import LeadSource, read, said
from ordergap.leads.table import LeadTable, first_orders

log = logging.getLogger("ordergap")


def read_leads(
    hosts: Hosts,
    source: LeadSource | None,
    hyperparameters: Hyperparameters,
    orders: Histories,
    as_of: int,
) -> tuple[LeadTable | None, tuple[str, ...]]:
    """The leads until day `as_of`, and what was left out of them; None and nothing without any.

    Who ordered before being seen is no lead. Raises DataError for inputs that know of the order,
    and where hosts have different leads.
    """
    if not hosts.any(source is not None):
        return None, ()
    if source is None:
        raise DataError("this host has no leads and others have: give all hosts all leads")
    h, allowed = hyperparameters, hyperparameters.lead_leaks_allowed
    names = [*h.lead_numeric_attributes, *h.lead_category_attributes]
    leaks.refuse_known(names, allowed)
    found = read(
        source,
        h.lead_numeric_attributes,
        h.lead_category_attributes,
        as_of=as_of,
        no_customer_words=h.columns.no_customer_words,
    )
    table, notes = found.table, found.notes
    leaks.refuse_known(np.unique(table.kind).tolist(), allowed)
    first = first_orders(table, orders)
    early = np.flatnonzero(first < table.first_seen)
    if len(early):
        example = f"such as {table.lead_ids[early[0]]}"
        why = "with an order before first_seen: they were customers then"
        notes += (f"left out {len(early):,} leads {why} ({example})",)
        keep = np.flatnonzero(first >= table.first_seen)
        table, first = table.pick(keep), first[keep]
    leaks.refuse_found(table, first, as_of, allowed)
    for sentence in (*said(found)[:1], *notes):
        log.info("  %s", sentence)
    warnings = tuple(lead_warning(name) for name in filter(may_change, names))
    for warning in warnings:
        log.warning("  %s", warning)
    if len({*hosts.gather(table.digest().encode())}) > 1:
        raise DataError(
            "the hosts have different leads: set the S3DataDistributionType of the channel leads "
            "to FullyReplicated"
        )
    return (table if len(table) else None), (*notes, *warnings)
