"""Everything that may be called, grouped by noun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, Literal, Unpack
from uuid import UUID

from jalons.client import bodies
from jalons.client.acts import Placements, Referrals, Trainings
from jalons.client.bodies import Id
from jalons.client.exchange import Call, Service, written
from jalons.client.noun import Do, Kept, Many, Noun, One, Stepped, path
from schemas import codes


class Beneficiaries(Kept[One, Many]):
    """The persons a home partner accompanies, and what they agreed to."""

    NAME = "beneficiaries"

    def register(self, **said: Unpack[bodies.Registration]) -> One:
        """A person, in bands."""
        return self._write("POST", (), said)

    def list(self, *, local_ref: str | None = None) -> Many:
        """Yours, or the one of a local_ref."""
        return self._listed(local_ref=local_ref)

    def update_profile(self, beneficiary: Id, **said: Unpack[bodies.NewProfile]) -> One:
        """Bring the bands up to date."""
        return self._write("PUT", (beneficiary, "profile"), said)

    def consent(self, beneficiary: Id, **said: Unpack[bodies.Consent]) -> One:
        """Record what the person agreed to."""
        return self._write("POST", (beneficiary, "consents"), said)

    def consents(self, beneficiary: Id) -> Many:
        """What the person agreed to, withdrawn ones included."""
        return self._all(beneficiary, "consents")

    def withdraw(self, beneficiary: Id, consent_id: Id, **said: Unpack[bodies.Write]) -> One:
        """The person takes an agreement back."""
        return self._write("DELETE", (beneficiary, "consents", consent_id), said)

    def disclosures(self, beneficiary: Id) -> Many:
        """Who received which field, when."""
        return self._all(beneficiary, "disclosures")

    def pause(self, beneficiary: Id, **said: Unpack[bodies.Act]) -> One:
        """The person pauses: nothing of theirs stalls meanwhile."""
        return self._write("POST", (beneficiary, "pause"), said)

    def resume(self, beneficiary: Id, **said: Unpack[bodies.Act]) -> One:
        """The person comes back."""
        return self._write("POST", (beneficiary, "resume"), said)

    def leave(self, beneficiary: Id, **said: Unpack[bodies.Stop]) -> One:
        """The accompaniment is over, with a `reason`."""
        return self._write("POST", (beneficiary, "leave"), said)

    def erase(self, beneficiary: Id, **said: Unpack[bodies.Write]) -> One:
        """Destroy the person's key: what was sealed is gone for ever. The answer names a receipt."""
        return self._write("DELETE", (beneficiary,), said)

    def erasure(self, receipt_id: Id) -> One:
        """What an erasure did, where, and what lies outside the hub."""
        return self._do.one(Call("GET", self.SERVICE, path("erasures", receipt_id)))


class Needs(Kept[One, Many]):
    """What persons need, and what is needed in a commune."""

    NAME = "needs"

    def express(self, **said: Unpack[bodies.Need]) -> One:
        """Of a `beneficiary`, or of nobody in particular."""
        return self._write("POST", (), said)

    def list(self, *, beneficiary: Id | None = None) -> Many:
        """What you said, what was said of your persons, and what is needed in communes; newest first."""
        return self._listed(beneficiary=beneficiary)


class Activities(Kept[One, Many]):
    """What persons create of their own."""

    NAME = "activities"

    def create(self, **said: Unpack[bodies.Activity]) -> One:
        """A person works on their own account; the accompaniment it came from ends."""
        return self._write("POST", (), said)

    def list(self, *, beneficiary: Id | None = None) -> Many:
        """Those you said and those of your persons, newest first."""
        return self._listed(beneficiary=beneficiary)


class Partners(Kept[One, Many]):
    """The directory of the network; written by the coordinator."""

    NAME = "partners"

    def put(self, partner: str, **said: Unpack[bodies.Partner]) -> One:
        """Write a partner's record."""
        return self._write("PUT", (partner,), said)

    def list(self) -> Many:
        """Every partner."""
        return self._listed()

    def set_status(self, partner: str, status: codes.PartnerStatus, **said: Unpack[bodies.Write]) -> One:
        """A partner enters, pauses or leaves."""
        return self._write("PUT", (partner, "status"), {**said, "status": status})

    def add_client(self, partner: str, *, scopes: Sequence[str] | None = None, **said: Unpack[bodies.Write]) -> One:
        """A new client; its `client_secret` is in this answer and never again."""
        return self._write("POST", (partner, "clients"), {**said, "scopes": scopes})

    def clients(self, partner: str) -> Many:
        """A partner's clients, without secrets."""
        return self._all(partner, "clients")

    def revoke_client(self, partner: str, client_id: str, **said: Unpack[bodies.Write]) -> One:
        """A client gets no token any more."""
        return self._write("DELETE", (partner, "clients", client_id), said)


class Conventions(Stepped[One, Many]):
    """Who may refer to whom; written by the coordinator. Its actions: suspend, resume, terminate."""

    NAME = "conventions"

    def sign(self, **said: Unpack[bodies.Convention]) -> One:
        """A convention in force from its day on."""
        return self._write("POST", (), said)

    def list(self) -> Many:
        """Those you are a party of; for the coordinator, all."""
        return self._listed()


class Offers(Kept[One, Many]):
    """What partners offer."""

    NAME = "offers"

    def put(self, offer: str, **said: Unpack[bodies.Offer]) -> One:
        """Write an offer of yours."""
        return self._write("PUT", (offer,), said)

    def confirm(self, offer: str, **said: Unpack[bodies.Write]) -> One:
        """It is still as it stands there."""
        return self._write("POST", (offer, "confirm"), said)

    def list(self, **asked: Unpack[bodies.OffersAsked]) -> Many:
        """The offers of the network, with the places they have left."""
        return self._listed(**asked)


class Codes(Noun[One, Many]):
    """The network's own reasons, each under one of a closed list; written by the coordinator."""

    NAME = "codes"

    def get(self) -> One:
        """Every list with its labels, the network's own codes last."""
        return self._do.one(Call("GET", self.SERVICE, path(self.NAME)))

    def put(self, list_: str, code: str, **said: Unpack[bodies.FinerCode]) -> One:
        """A finer code, as `put("decline_reason", "no_bus", parent="distance_mobility", label="Pas de bus")`."""
        return self._write("PUT", (list_, code), said)


class Communes(Noun[One, Many]):
    """Between which distances are known; written by the coordinator."""

    NAME = "communes"

    def put(self, nis: str, **said: Unpack[bodies.Commune]) -> One:
        """Where a commune lies."""
        return self._write("PUT", (nis,), said)

    def list(self) -> Many:
        """Every one that is known."""
        return self._listed()


class Imports(Kept[One, Many]):
    """A partner's own table, CSV or XLSX: each row a referral."""

    NAME = "imports"

    def send(self, table: bytes, *, dry_run: bool = False, **said: Unpack[bodies.Write]) -> One:
        """Taken on as a whole and worked off behind it. dry_run: every row is checked, nothing done."""
        return self._do.one(
            replace(written("POST", self.SERVICE, path(self.NAME), {**said, "dry_run": dry_run}), file=table)
        )

    def rows(self, import_id: Id, *, outcome: Literal["done", "already_done", "refused"] | None = None) -> Many:
        """What became of each row."""
        return self._do.many(Call("GET", self.SERVICE, path(self.NAME, import_id), {"outcome": outcome}))


class Pathways(Generic[One, Many]):
    """Persons' ways."""

    def __init__(self, do: Do[One, Many]) -> None:
        self._do = do

    def get(self, beneficiary: Id, *, as_of: datetime | None = None) -> One:
        """A person's way, as the hub knew it then (aware; default: now); whole for the home partner."""
        return self._do.one(Call("GET", "observation", path("pathways", beneficiary), {"as_of": as_of}))


class Subscriptions(Kept[One, Many]):
    """Where a partner is told by signed webhook."""

    SERVICE = "notifications"
    NAME = "subscriptions"

    def put(self, name: str, **said: Unpack[bodies.Subscription]) -> One:
        """What to send where; the `secret` is in the first answer and never again."""
        return self._write("PUT", (name,), said)

    def list(self) -> Many:
        """Yours."""
        return self._listed()

    def act(self, name: str, action: str, **said: Any) -> One:
        """pause, resume, replay, rotate-secret, test."""
        return self._write("POST", (name, action), said)


class Deliveries(Kept[One, Many]):
    """What became of messages."""

    SERVICE = "notifications"
    NAME = "deliveries"

    def list(
        self,
        *,
        status: Literal["pending", "waiting", "sent", "failed", "suppressed"] | None = None,
        channel: Literal["email", "webhook"] | None = None,
    ) -> Many:
        """Newest first, with their attempts."""
        return self._listed(status=status, channel=channel)

    def retry(self, delivery_id: UUID | str, **said: Unpack[bodies.Write]) -> One:
        """Try a message again now."""
        return self._write("POST", (delivery_id, "retry"), said)


class Hub(Generic[One, Many]):
    """Everything a partner's system may call."""

    def __init__(self, do: Do[One, Many]) -> None:
        self._do = do
        self.referrals = Referrals(do)
        self.trainings = Trainings(do)
        self.placements = Placements(do)
        self.beneficiaries = Beneficiaries(do)
        self.needs = Needs(do)
        self.activities = Activities(do)
        self.partners = Partners(do)
        self.conventions = Conventions(do)
        self.offers = Offers(do)
        self.codes = Codes(do)
        self.communes = Communes(do)
        self.imports = Imports(do)
        self.pathways = Pathways(do)
        self.subscriptions = Subscriptions(do)
        self.deliveries = Deliveries(do)

    def counts(
        self,
        measure: str,
        *,
        by: Sequence[str] = (),
        first: str | None = None,
        last: str | None = None,
        scope: Literal["own", "network"] | None = None,
    ) -> One:
        """One measure as a table. first, last: months, `YYYY-MM`."""
        query = {"measure": measure, "by": tuple(by), "from": first, "to": last, "scope": scope}
        return self._do.one(Call("GET", "observation", "/counts", query))

    def events(self, *, after: int = 0, service: Service = "referrals", limit: int = 500) -> Many:
        """What you may see of a service's log after a position, to its end as it is now. Keep each event's `position`:
        it is where the next call goes on."""
        return self._do.many(Call("GET", service, "/events", {"after": after, "limit": limit}, cursor="after"))

    def events_page(self, *, after: int = 0, service: Service = "referrals", limit: int = 500) -> One:
        """The same, page by page: `items`, and `next` to go on from, past what you may not see."""
        return self._do.one(Call("GET", service, "/events", {"after": after, "limit": limit}))

    def stream(self, *, types: Sequence[str] = (), after: int | None = None) -> Many:
        """Events as they come, of types such as `referral.*`, without an end; broken off, it goes on by itself. after:
        the `position` last heard; without it, only what comes from now."""
        query = {"types": tuple(types) or None, "after": after}
        return self._do.stream(
            Call("GET", "observation", "/stream", query, cursor="after", streamed=True, accept="text/event-stream")
        )

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        service: Service = "referrals",
        query: Mapping[str, object] | None = None,
        **options: Unpack[bodies.Write],
    ) -> One:
        """Any other call of the contract, with the same token, repeats and problems."""
        if method == "GET":
            return self._do.one(Call(method, service, path, query or {}))
        return self._do.one(written(method, service, path, {**(body or {}), **options}))
