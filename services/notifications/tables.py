"""Every table of the schema `notifications`: the one place that says what is kept."""

from __future__ import annotations

from sqlalchemy import MetaData

from jalons.messaging import tables as messaging
from jalons.privacy import tables as privacy

metadata = MetaData()

for shared in (*messaging.metadata.sorted_tables, privacy.forgotten):
    shared.to_metadata(metadata)
