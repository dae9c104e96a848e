"""The contract's calls, grouped by noun, said once for both drivers.

One: what a call that has one answer returns (an Answer, or one to be awaited). Many: what a call that has many returns
(an iterator, or an asynchronous one), which fetches page after page as it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, Unpack
from urllib.parse import quote
from uuid import UUID

from jalons.client import bodies
from jalons.client.bodies import Id
from jalons.client.exchange import Call, Service, written
from schemas import codes

One = TypeVar("One")
Many = TypeVar("Many")
One_co = TypeVar("One_co", covariant=True)
Many_co = TypeVar("Many_co", covariant=True)


class Do(Protocol[One_co, Many_co]):
    """How a call is made: at once, or to be awaited."""

    def one(self, call: Call) -> One_co:
        """The call's answer."""

    def many(self, call: Call) -> Many_co:
        """What its pages list."""

    def stream(self, call: Call) -> Many_co:
        """What comes, as it comes."""


def path(*parts: object) -> str:
    """A path of these parts, each as one segment."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


class Noun(Generic[One, Many]):
    """The calls of one noun, at the service that has it."""

    SERVICE: ClassVar[Service] = "referrals"
    NAME: ClassVar[str]

    def __init__(self, do: Do[One, Many]) -> None:
        self._do = do

    def get(self, id: Id) -> One:  # noqa: A002 - the contract's name
        """One of them; its `etag` can be given as `if_match`."""
        return self._do.one(Call("GET", self.SERVICE, path(self.NAME, id)))

    def _write(self, method: str, parts: Sequence[object], said: Mapping[str, object]) -> One:
        return self._do.one(written(method, self.SERVICE, path(self.NAME, *parts), said))

    def _listed(self, **query: object) -> Many:
        return self._do.many(Call("GET", self.SERVICE, path(self.NAME), query))

    def _all(self, *parts: object) -> Many:
        return self._do.many(Call("GET", self.SERVICE, path(self.NAME, *parts)))


class Stepped(Noun[One, Many]):
    """A noun with a life cycle: what may be done with it is data (docs/reference/transitions.md)."""

    def act(self, id: Id, action: str, **said: Any) -> One:  # noqa: A002 - the contract's name
        """Do `action`, by its name in the table, and say what it must be given. Raises NotAllowed with what is open."""
        return self._write("POST", (id, action), said)


class Referrals(Stepped[One, Many]):
    """From one partner's call to the answer, and the way that follows."""

    NAME = "referrals"

    def send(self, **said: Unpack[bodies.Referral]) -> One:
        """Refer a person, known or given with it. Raises NoConvention, NoConsent."""
        return self._write("POST", (), said)

    def list(self, *, box: Literal["received", "sent"] = "received", status: str | None = None) -> Many:
        """Yours, newest first."""
        return self._listed(box=box, status=status)

    def receive(self, id: Id, **said: Unpack[bodies.Act]) -> One:  # noqa: A002
        """Seen."""
        return self.act(id, "receive", **said)

    def accept(self, id: Id, **said: Unpack[bodies.Acceptance]) -> One:  # noqa: A002
        """The receiver takes the person on."""
        return self.act(id, "accept", **said)

    def waitlist(self, id: Id, **said: Any) -> One:  # noqa: A002
        """Not now: at a `rank`, or `expected_on` a day."""
        return self.act(id, "waitlist", **said)

    def decline(self, id: Id, **said: Unpack[bodies.Refusal]) -> One:  # noqa: A002
        """No, and who said so."""
        return self.act(id, "decline", **said)

    def redirect(self, id: Id, **said: Any) -> One:  # noqa: A002
        """To another `recipient`, the person having been asked. The answer is the new referral."""
        return self.act(id, "redirect", **said)

    def cancel(self, id: Id, **said: Any) -> One:  # noqa: A002
        """The referrer takes it back, with a `reason`."""
        return self.act(id, "cancel", **said)

    def start(self, id: Id, **said: Unpack[bodies.Start]) -> One:  # noqa: A002
        """What was referred for begins."""
        return self.act(id, "start", **said)

    def complete(self, id: Id, **said: Unpack[bodies.ReferralEnd]) -> One:  # noqa: A002
        """What was referred for is over."""
        return self.act(id, "complete", **said)

    def interrupt(self, id: Id, **said: Any) -> One:  # noqa: A002
        """It ends before its end, with a `reason`."""
        return self.act(id, "interrupt", **said)

    def reopen(self, id: Id, **said: Any) -> One:  # noqa: A002
        """Back to the state before, with a `reason`."""
        return self.act(id, "reopen", **said)

    def void(self, id: Id, **said: Any) -> One:  # noqa: A002
        """It should not have been recorded, with a `reason`."""
        return self.act(id, "void", **said)

    def suggest(self, id: Id, **said: Any) -> One:  # noqa: A002
        """The coordinator suggests an `offer` to the referrer."""
        return self.act(id, "suggest", **said)


class Trainings(Stepped[One, Many]):
    """What training operators and guidance do with persons."""

    NAME = "trainings"

    def enrol(self, **said: Unpack[bodies.Training]) -> One:
        """Plan a training."""
        return self._write("POST", (), said)

    def list(self, *, box: Literal["operator", "home"] = "operator", status: str | None = None) -> Many:
        """Yours, newest first."""
        return self._listed(box=box, status=status)

    def start(self, id: Id, **said: Unpack[bodies.Start]) -> One:  # noqa: A002
        """It begins, and with it the referral it answers."""
        return self.act(id, "start", **said)

    def attendance_falling(self, id: Id, **said: Unpack[bodies.Act]) -> One:  # noqa: A002
        """The person comes less: whoever accompanies them is told."""
        return self.act(id, "attendance-falling", **said)

    def suspend(self, id: Id, **said: Any) -> One:  # noqa: A002
        """It stands still."""
        return self.act(id, "suspend", **said)

    def resume(self, id: Id, **said: Unpack[bodies.Act]) -> One:  # noqa: A002
        """It goes on."""
        return self.act(id, "resume", **said)

    def complete(self, id: Id, **said: Unpack[bodies.TrainingEnd]) -> One:  # noqa: A002
        """It is over."""
        return self.act(id, "complete", **said)

    def interrupt(self, id: Id, **said: Any) -> One:  # noqa: A002
        """It ends before its end, with a `reason`."""
        return self.act(id, "interrupt", **said)

    def cancel(self, id: Id, **said: Any) -> One:  # noqa: A002
        """It will not begin, with a `reason`."""
        return self.act(id, "cancel", **said)


class Placements(Stepped[One, Many]):
    """Persons at work."""

    NAME = "placements"

    def propose(self, **said: Unpack[bodies.Placement]) -> One:
        """Propose a person to an employer."""
        return self._write("POST", (), said)

    def list(self, *, box: Literal["proposer", "employer"] = "employer", status: str | None = None) -> Many:
        """Yours, newest first."""
        return self._listed(box=box, status=status)

    def confirm(self, id: Id, **said: Unpack[bodies.Act]) -> One:  # noqa: A002
        """The employer says yes."""
        return self.act(id, "confirm", **said)

    def refuse(self, id: Id, **said: Any) -> One:  # noqa: A002
        """The employer says no, with a `reason`."""
        return self.act(id, "refuse", **said)

    def start(self, id: Id, **said: Unpack[bodies.Start]) -> One:  # noqa: A002
        """The person begins to work."""
        return self.act(id, "start", **said)

    def evaluate(self, id: Id, **said: Any) -> One:  # noqa: A002
        """How it goes."""
        return self.act(id, "evaluate", **said)

    def end(self, id: Id, **said: Unpack[bodies.PlacementEnd]) -> One:  # noqa: A002
        """It is over, and why."""
        return self.act(id, "end", **said)

    def cancel(self, id: Id, **said: Any) -> One:  # noqa: A002
        """It will not begin, with a `reason`."""
        return self.act(id, "cancel", **said)

    def follow_up(self, id: Id, **said: Any) -> One:  # noqa: A002
        """The person's `situation` some `months` after the end."""
        return self.act(id, "follow-up", **said)


class Beneficiaries(Noun[One, Many]):
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

    def pause(self, beneficiary: Id, **said: Any) -> One:
        """The person pauses: nothing of theirs stalls meanwhile."""
        return self._write("POST", (beneficiary, "pause"), said)

    def resume(self, beneficiary: Id, **said: Any) -> One:
        """The person comes back."""
        return self._write("POST", (beneficiary, "resume"), said)

    def leave(self, beneficiary: Id, **said: Any) -> One:
        """The accompaniment is over, with a `reason`."""
        return self._write("POST", (beneficiary, "leave"), said)

    def erase(self, beneficiary: Id, **said: Unpack[bodies.Write]) -> One:
        """Destroy the person's key: what was sealed is gone for ever. The answer is a receipt."""
        return self._write("DELETE", (beneficiary,), said)


class Partners(Noun[One, Many]):
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


class Offers(Noun[One, Many]):
    """What partners offer."""

    NAME = "offers"

    def put(self, offer: str, **said: Unpack[bodies.Offer]) -> One:
        """Write an offer of yours."""
        return self._write("PUT", (offer,), said)

    def list(
        self,
        *,
        partner: str | None = None,
        moment: codes.Moment | None = None,
        type: codes.OfferType | None = None,  # noqa: A002 - the contract's name
        status: codes.OfferStatus | None = None,
        commune_nis: str | None = None,
    ) -> Many:
        """The offers of the network."""
        return self._listed(partner=partner, moment=moment, type=type, status=status, commune_nis=commune_nis)


class Pathways(Generic[One, Many]):
    """Persons' ways."""

    def __init__(self, do: Do[One, Many]) -> None:
        self._do = do

    def get(self, beneficiary: Id, *, as_of: datetime | None = None) -> One:
        """A person's way, as the hub knew it then (aware; default: now); whole for the home partner."""
        return self._do.one(Call("GET", "observation", path("pathways", beneficiary), {"as_of": as_of}))


class Subscriptions(Noun[One, Many]):
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


class Deliveries(Noun[One, Many]):
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
        self.partners = Partners(do)
        self.conventions = Conventions(do)
        self.offers = Offers(do)
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
        return self._do.stream(Call("GET", "observation", "/stream", query, cursor="after", streamed=True))

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
