"""Rows against their leaves, and intervals against the rows that end them."""

from __future__ import annotations

from typing import Final

from tracking.domain.ledger import merkle
from tracking.exchange.verify.report import Part
from tracking.store import log, verify
from tracking.store.database import Connection

TABLES: Final = {
    "key": "log_keys",
    "area": "area_revisions",
    "device": "devices",
    "revocation": "devices",
    "attachment": "attachments",
    "detachment": "attachments",
    "shipment": "shipments",
    "closing": "shipments",
    "goods": "shipment_things",
    "terms": "terms",
    "park_rules": "park_rules",
    "aggregation": "containment_events",
    "containment": "containments",
    "document": "documents",
    "batch": "batches",
    "custody": "findings",
    "decision": "decisions",
    "action": "alert_actions",
    "gate_decision": "gate_decisions",
    "correction": "corrections",
    "retraction": "retractions",
    "retention": "retentions",
    "archive": "archives",
}
"""Where the rows of each kind of leaf stand."""


def check(conn: Connection) -> Part:
    """Every row of every kind."""
    part = Part()
    for kind in log.KINDS:
        table = TABLES[kind]
        for row in log.beside(conn, kind):
            if row.leaf is None:
                part.differs(table, row.key, f"is gone; leaf {row.place} of the log stands for it")
            elif row.leaf_hash is None:
                part.unlogged += 1
            elif merkle.leaf_hash(row.leaf) != row.leaf_hash:
                part.differs(table, row.key, f"isn't what leaf {row.place} of the log stands for")
    for query, table in (
        ("wrong_area_ends", "area_revisions"),
        ("wrong_finding_ends", "findings"),
    ):
        for (key,) in verify.rows(conn, query):
            part.differs(table, key, "ends at another time than the next one begins")
    for query, table, says in (
        ("wrong_ledger_numbers", "ledger", "has the wrong number"),
        ("wrong_alerts", "alerts", "isn't what its actions and findings tell"),
        ("unalerted_findings", "alert_findings", "is missing"),
    ):
        for (key,) in verify.rows(conn, query):
            part.differs(table, key, says)
    return part
