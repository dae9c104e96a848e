"""All calls of the API, grouped by noun."""

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
    """Persons accompanied by their home partner, and their agreements."""

    NAME = "beneficiaries"

    def register(self, **fields: Unpack[bodies.Registration]) -> One:
        """Register a person."""
        return self._write("POST", (), fields)

    def list(self, *, local_ref: str | None = None) -> Many:
        """Your persons, or the one with this local_ref."""
        return self._listed(local_ref=local_ref)

    def update_profile(self, beneficiary: Id, **fields: Unpack[bodies.NewProfile]) -> One:
        """Replace the profile."""
        return self._write("PUT", (beneficiary, "profile"), fields)

    def consent(self, beneficiary: Id, **fields: Unpack[bodies.Consent]) -> One:
        """Record an agreement of the person."""
        return self._write("POST", (beneficiary, "consents"), fields)

    def consents(self, beneficiary: Id) -> Many:
        """The person's agreements, including withdrawn ones."""
        return self._all(beneficiary, "consents")

    def withdraw(self, beneficiary: Id, consent_id: Id, **fields: Unpack[bodies.Write]) -> One:
        """Withdraw an agreement."""
        return self._write("DELETE", (beneficiary, "consents", consent_id), fields)

    def disclosures(self, beneficiary: Id) -> Many:
        """Which partner received which field, and when."""
        return self._all(beneficiary, "disclosures")

    def pause(self, beneficiary: Id, **fields: Unpack[bodies.Act]) -> One:
        """Pause the accompaniment: the person's steps are not reported as stalled meanwhile."""
        return self._write("POST", (beneficiary, "pause"), fields)

    def resume(self, beneficiary: Id, **fields: Unpack[bodies.Act]) -> One:
        """Resume the accompaniment."""
        return self._write("POST", (beneficiary, "resume"), fields)

    def leave(self, beneficiary: Id, **fields: Unpack[bodies.Stop]) -> One:
        """End the accompaniment, with a `reason`."""
        return self._write("POST", (beneficiary, "leave"), fields)

    def erase(self, beneficiary: Id, **fields: Unpack[bodies.Write]) -> One:
        """Destroy the person's key, which makes all sealed data unreadable. The answer has a `receipt_id`."""
        return self._write("DELETE", (beneficiary,), fields)

    def erasure(self, receipt_id: Id) -> One:
        """What each service erased, and what lies outside the hub."""
        return self._do.one(Call("GET", self.SERVICE, path("erasures", receipt_id)))


class Needs(Kept[One, Many]):
    """Needs of persons and of communes."""

    NAME = "needs"

    def express(self, **fields: Unpack[bodies.Need]) -> One:
        """Record a need of a `beneficiary`, or of a commune without one."""
        return self._write("POST", (), fields)

    def list(self, *, beneficiary: Id | None = None) -> Many:
        """Needs that you recorded, needs of your persons and needs of communes; newest first."""
        return self._listed(beneficiary=beneficiary)


class Activities(Kept[One, Many]):
    """Businesses that persons create."""

    NAME = "activities"

    def create(self, **fields: Unpack[bodies.Activity]) -> One:
        """Record that a person is self-employed; it ends the guidance it came from."""
        return self._write("POST", (), fields)

    def list(self, *, beneficiary: Id | None = None) -> Many:
        """Activities that you recorded and those of your persons, newest first."""
        return self._listed(beneficiary=beneficiary)


class Partners(Kept[One, Many]):
    """The directory of the network; written by the coordinator."""

    NAME = "partners"

    def put(self, partner: str, **fields: Unpack[bodies.Partner]) -> One:
        """Create or replace a partner's record."""
        return self._write("PUT", (partner,), fields)

    def list(self) -> Many:
        """All partners."""
        return self._listed()

    def set_status(self, partner: str, status: codes.PartnerStatus, **fields: Unpack[bodies.Write]) -> One:
        """Set a partner's status, such as `suspended` or `left`."""
        return self._write("PUT", (partner, "status"), {**fields, "status": status})

    def add_client(self, partner: str, *, scopes: Sequence[str] | None = None, **fields: Unpack[bodies.Write]) -> One:
        """Create a client. `client_secret` is only in this answer."""
        return self._write("POST", (partner, "clients"), {**fields, "scopes": scopes})

    def clients(self, partner: str) -> Many:
        """A partner's clients, without secrets."""
        return self._all(partner, "clients")

    def revoke_client(self, partner: str, client_id: str, **fields: Unpack[bodies.Write]) -> One:
        """Revoke a client: it gets no more tokens."""
        return self._write("DELETE", (partner, "clients", client_id), fields)


class Conventions(Stepped[One, Many]):
    """Who may refer to whom; written by the coordinator. Actions: suspend, resume, terminate."""

    NAME = "conventions"

    def sign(self, **fields: Unpack[bodies.Convention]) -> One:
        """Sign a convention; it is in force from `valid_from`."""
        return self._write("POST", (), fields)

    def list(self) -> Many:
        """Conventions that you are a party of; for the coordinator, all."""
        return self._listed()


class Offers(Kept[One, Many]):
    """Offers of the partners."""

    NAME = "offers"

    def put(self, offer: str, **fields: Unpack[bodies.Offer]) -> One:
        """Create or replace an offer of yours."""
        return self._write("PUT", (offer,), fields)

    def confirm(self, offer: str, **fields: Unpack[bodies.Write]) -> One:
        """Confirm that the offer is up to date."""
        return self._write("POST", (offer, "confirm"), fields)

    def list(self, **filters: Unpack[bodies.OfferFilter]) -> Many:
        """The network's offers, with their remaining places."""
        return self._listed(**filters)


class Codes(Noun[One, Many]):
    """The network's own finer codes, each under a code of a closed list; written by the coordinator."""

    NAME = "codes"

    def get(self) -> One:
        """All lists with labels; the network's own codes come last."""
        return self._do.one(Call("GET", self.SERVICE, path(self.NAME)))

    def put(self, list_: str, code: str, **fields: Unpack[bodies.FinerCode]) -> One:
        """Create a finer code: `put("decline_reason", "no_bus", parent="distance_mobility", label="Pas de bus")`."""
        return self._write("PUT", (list_, code), fields)


class Communes(Noun[One, Many]):
    """Communes with coordinates, for distances; written by the coordinator."""

    NAME = "communes"

    def put(self, nis: str, **fields: Unpack[bodies.Commune]) -> One:
        """Set a commune's coordinates."""
        return self._write("PUT", (nis,), fields)

    def list(self) -> Many:
        """All known communes."""
        return self._listed()


class Imports(Kept[One, Many]):
    """Imports of a partner's table (CSV or XLSX), one referral per row."""

    NAME = "imports"

    def send(self, table: bytes, *, dry_run: bool = False, **fields: Unpack[bodies.Write]) -> One:
        """Upload a table; the hub processes it in the background. dry_run: check every row, create nothing."""
        return self._do.one(
            replace(written("POST", self.SERVICE, path(self.NAME), {**fields, "dry_run": dry_run}), file=table)
        )

    def rows(self, import_id: Id, *, outcome: Literal["done", "already_done", "refused"] | None = None) -> Many:
        """The outcome of each row."""
        return self._do.many(Call("GET", self.SERVICE, path(self.NAME, import_id), {"outcome": outcome}))


class Pathways(Generic[One, Many]):
    """Pathways of persons."""

    def __init__(self, do: Do[One, Many]) -> None:
        self._do = do

    def get(self, beneficiary: Id, *, as_of: datetime | None = None) -> One:
        """A person's pathway, complete for the home partner. as_of: as the hub knew it at that aware time."""
        return self._do.one(Call("GET", "observation", path("pathways", beneficiary), {"as_of": as_of}))


class Subscriptions(Kept[One, Many]):
    """Webhook subscriptions of a partner."""

    SERVICE = "notifications"
    NAME = "subscriptions"

    def put(self, name: str, **fields: Unpack[bodies.Subscription]) -> One:
        """Create or replace a subscription. The signing `secret` is only in the first answer."""
        return self._write("PUT", (name,), fields)

    def list(self) -> Many:
        """Your subscriptions."""
        return self._listed()

    def act(self, name: str, action: str, **fields: Any) -> One:
        """Do an action: pause, resume, replay, rotate-secret or test."""
        return self._write("POST", (name, action), fields)


class Deliveries(Kept[One, Many]):
    """Messages to partners, and their status."""

    SERVICE = "notifications"
    NAME = "deliveries"

    def list(
        self,
        *,
        status: Literal["pending", "waiting", "sent", "failed", "suppressed"] | None = None,
        channel: Literal["email", "webhook"] | None = None,
    ) -> Many:
        """Messages with their attempts, newest first."""
        return self._listed(status=status, channel=channel)

    def retry(self, delivery_id: UUID | str, **fields: Unpack[bodies.Write]) -> One:
        """Retry a message now."""
        return self._write("POST", (delivery_id, "retry"), fields)


class Hub(Generic[One, Many]):
    """The calls of a partner's system, by noun."""

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
        """A measure as a table. first, last: months `YYYY-MM`, inclusive."""
        query = {"measure": measure, "by": tuple(by), "from": first, "to": last, "scope": scope}
        return self._do.one(Call("GET", "observation", "/counts", query))

    def events(self, *, after: str | None = None, service: Service = "referrals", limit: int = 500) -> Many:
        """The events of a service's log that you may see, from after a cursor (default: the beginning) to the current
        end. Store each event's `cursor`; the next call continues after it."""
        return self._do.many(Call("GET", service, "/events", {"after": after, "limit": limit}, cursor="after"))

    def events_page(self, *, after: str | None = None, service: Service = "referrals", limit: int = 500) -> One:
        """One page of the same: `items`, and `next` to continue after, which also skips events you may not see."""
        return self._do.one(Call("GET", service, "/events", {"after": after, "limit": limit}))

    def stream(self, *, types: Sequence[str] = (), after: str | None = None) -> Many:
        """Events as they happen, without end; reconnects by itself. types: such as `referral.*`. after: the last
        `cursor` received; default: only new events."""
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
        """Any other call, with the same token, retries and exceptions."""
        if method == "GET":
            return self._do.one(Call(method, service, path, query or {}))
        return self._do.one(written(method, service, path, {**(body or {}), **options}))
