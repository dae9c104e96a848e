"""The peer of the intake: a small FastAPI application that inserts, in one transaction, the rows one referral makes.

No other logic: no rules, no locks, no encryption, nothing downstream. `python -m bench.plain DATABASE_URL PORT`; its
tables are in the schema `bench_plain`, made new at each start.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import Column, DateTime, Integer, LargeBinary, MetaData, Table, Text, Uuid, create_engine, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateSchema, DropSchema

SCHEMA = "bench_plain"
TOKEN = "plain-token"

_meta = MetaData(schema=SCHEMA)
referrals = Table(
    "referrals",
    _meta,
    Column("id", Uuid, primary_key=True),
    Column("reference", Text, unique=True),
    Column("person", Uuid, index=True),
    Column("referrer", Text, index=True),
    Column("recipient", Text, index=True),
    Column("moment", Text),
    Column("status", Text),
    Column("facts", JSONB),
)
events = Table(
    "events",
    _meta,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Uuid, unique=True),
    Column("subject", Uuid, index=True),
    Column("type", Text),
    Column("recorded", DateTime(timezone=True)),
    Column("value", LargeBinary),
)
audit = Table(
    "audit",
    _meta,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True)),
    Column("partner", Text),
    Column("action", Text),
    Column("referral", Uuid, index=True),
    Column("person", LargeBinary, index=True),
)
deadlines = Table(
    "deadlines",
    _meta,
    Column("referral", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("due_at", DateTime(timezone=True), index=True),
)
disclosures = Table(
    "disclosures",
    _meta,
    Column("referral", Uuid, primary_key=True),
    Column("partner", Text, primary_key=True),
    Column("person", Uuid, index=True),
    Column("fields", Text),
    Column("withheld", JSONB),
)
idempotency = Table(
    "idempotency",
    _meta,
    Column("partner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("answer", JSONB),
    Column("at", DateTime(timezone=True)),
)

_PARTNERS = {TOKEN: "cpas-hotton"}
_DEADLINES = (("reminder", 1, 5), ("reminder", 2, 7), ("escalate", 1, 11), ("expire", 1, 30))
_WITHHELD = dict.fromkeys(("sex", "status", "education", "household", "commune_nis"), "convention")


class Referral(BaseModel):
    """Body of `POST /referrals`, as the load generator sends it to the hub too."""

    beneficiary: UUID
    recipient: str
    moment: str
    reason: str
    goal: str
    chosen_by: str
    contact: str


class Sent(Referral):
    """The answer."""

    referral_id: UUID
    ref: str
    status: str
    referrer: str
    reply_by: date


class Stored(BaseModel):
    """An event as it is stored."""

    id: UUID
    type: str
    subject: UUID
    time: datetime
    data: Sent


async def partner_of(token: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    """The partner a bearer token names; 401 if none."""
    if partner := _PARTNERS.get(token.credentials):
        return partner
    raise HTTPException(401)


def build(database_url: str) -> FastAPI:
    """The application on new tables."""
    engine = create_engine(database_url, pool_size=10)
    with engine.begin() as conn:
        conn.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
        conn.execute(CreateSchema(SCHEMA))
        _meta.create_all(conn)
    app = FastAPI()

    @app.post("/referrals", status_code=201)
    def send(
        body: Referral, partner: Annotated[str, Depends(partner_of)], idempotency_key: Annotated[str, Header()]
    ) -> Sent:
        now = datetime.now(UTC)
        id_ = uuid4()
        sent = Sent(
            **body.model_dump(),
            referral_id=id_,
            ref=f"R-{id_.hex[:12]}",
            status="sent",
            referrer=partner,
            reply_by=(now + timedelta(days=7)).date(),
        )
        event = Stored(id=uuid4(), type="referral.sent", subject=body.beneficiary, time=now, data=sent)
        with engine.begin() as conn:
            for table, rows in _rows(sent, event, idempotency_key).items():
                conn.execute(insert(table), rows)
        return sent

    return app


def _rows(sent: Sent, event: Stored, key: str) -> dict[Table, Any]:
    """What the hub writes for one referral of a person it knows: one row in each table, and four deadlines."""
    facts = sent.model_dump(mode="json")
    id_, person, now = sent.referral_id, sent.beneficiary, event.time
    return {
        referrals: sent.model_dump(include={"referrer", "recipient", "moment", "status"})
        | {"id": id_, "reference": sent.ref, "person": person, "facts": facts},
        events: {
            "id": event.id,
            "subject": person,
            "type": event.type,
            "recorded": now,
            "value": event.model_dump_json().encode(),
        },
        audit: {
            "at": now,
            "partner": sent.referrer,
            "action": "sent",
            "referral": id_,
            "person": sha256(person.bytes).digest(),
        },
        deadlines: [
            {"referral": id_, "kind": kind, "number": number, "due_at": now + timedelta(days=days)}
            for kind, number, days in _DEADLINES
        ],
        disclosures: {
            "referral": id_,
            "partner": sent.recipient,
            "person": person,
            "fields": "age_band obstacles",
            "withheld": _WITHHELD,
        },
        idempotency: {"partner": sent.referrer, "key": key, "answer": facts, "at": now},
    }


if __name__ == "__main__":
    uvicorn.run(build(sys.argv[1]), port=int(sys.argv[2]), access_log=False, log_level="warning")
