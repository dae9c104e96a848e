"""Referrals, trainings and placements: one method for each action of their life cycles."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, Unpack

from jalons.client import bodies
from jalons.client.bodies import Id
from jalons.client.exchange import Call
from jalons.client.noun import Many, One, Stepped
from schemas import codes


class Referrals(Stepped[One, Many]):
    """Referrals: sent by one partner, answered by another."""

    NAME = "referrals"

    def send(self, **fields: Unpack[bodies.Referral]) -> One:
        """Refer a person: a known `beneficiary`, or a new `person`. Raises NoConvention, NoConsent."""
        return self._write("POST", (), fields)

    def list(
        self, *, box: Literal["received", "sent"] = "received", status: codes.ReferralStatus | None = None
    ) -> Many:
        """Your referrals, newest first."""
        return self._listed(box=box, status=status)

    def table(
        self, *, box: Literal["received", "sent"] = "received", changed_since: datetime | date | None = None
    ) -> Many:
        """Your referrals as rows of a table, by French heading, with your own `local_ref` under `Dossier`. Use it to
        copy their status into your own system.

        changed_since: an aware time, or a day (inclusive).
        """
        query = {"box": box, "changed_since": changed_since}
        return self._do.rows(
            Call(
                "GET", self.SERVICE, "/referrals.csv", query, streamed=True, accept="text/csv, application/problem+json"
            )
        )

    def late(self) -> Many:
        """Unanswered referrals that were escalated to the coordinator; for the coordinator."""
        return self._listed(late=True)

    def receive(self, id: Id, **fields: Unpack[bodies.Reported]) -> One:  # noqa: A002
        """Acknowledge receipt."""
        return self.act(id, "receive", **fields)

    def accept(self, id: Id, **fields: Unpack[bodies.Acceptance]) -> One:  # noqa: A002
        """Accept the person."""
        return self.act(id, "accept", **fields)

    def waitlist(self, id: Id, **fields: Unpack[bodies.Waitlisting]) -> One:  # noqa: A002
        """Put the person on a waiting list: at a `rank`, or until the day `expected_on`."""
        return self.act(id, "waitlist", **fields)

    def decline(self, id: Id, **fields: Unpack[bodies.Decline]) -> One:  # noqa: A002
        """Decline, with a `reason` and who declined."""
        return self.act(id, "decline", **fields)

    def redirect(self, id: Id, **fields: Unpack[bodies.Redirection]) -> One:  # noqa: A002
        """Redirect to another `recipient`, with the person's agreement. Returns the new referral."""
        return self.act(id, "redirect", **fields)

    def cancel(self, id: Id, **fields: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """Cancel as the referrer, with a `reason`."""
        return self.act(id, "cancel", **fields)

    def start(self, id: Id, **fields: Unpack[bodies.ReferralStart]) -> One:  # noqa: A002
        """Record that what the person was referred for has started."""
        return self.act(id, "start", **fields)

    def complete(self, id: Id, **fields: Unpack[bodies.ReferralEnd]) -> One:  # noqa: A002
        """Record that what the person was referred for is complete."""
        return self.act(id, "complete", **fields)

    def interrupt(self, id: Id, **fields: Unpack[bodies.Interruption]) -> One:  # noqa: A002
        """Record an early end, with a `reason`."""
        return self.act(id, "interrupt", **fields)

    def reopen(self, id: Id, **fields: Unpack[bodies.Reopening]) -> One:  # noqa: A002
        """Return to the previous status, with a `reason`."""
        return self.act(id, "reopen", **fields)

    def go_on(self, id: Id) -> One:  # noqa: A002
        """Record, as the referrer, that a person who said « no longer » goes on."""
        return self.act(id, "go-on")

    def void(self, id: Id, **fields: Unpack[bodies.Voiding]) -> One:  # noqa: A002
        """Mark as recorded by mistake, with a `reason`."""
        return self.act(id, "void", **fields)

    def suggest(self, id: Id, **fields: Unpack[bodies.Suggestion]) -> One:  # noqa: A002
        """Suggest an `offer` to the referrer; for the coordinator."""
        return self.act(id, "suggest", **fields)


class Trainings(Stepped[One, Many]):
    """Trainings and guidance."""

    NAME = "trainings"

    def enrol(self, **fields: Unpack[bodies.Training]) -> One:
        """Plan a training."""
        return self._write("POST", (), fields)

    def list(self, *, box: Literal["operator", "home"] = "operator", status: str | None = None) -> Many:
        """Your trainings, newest first."""
        return self._listed(box=box, status=status)

    def start(self, id: Id, **fields: Unpack[bodies.Start]) -> One:  # noqa: A002
        """Record the start; it also starts the referral that the training answers."""
        return self.act(id, "start", **fields)

    def attendance_falling(self, id: Id, **fields: Unpack[bodies.Act]) -> One:  # noqa: A002
        """Report falling attendance; the partner who accompanies the person is notified."""
        return self.act(id, "attendance-falling", **fields)

    def suspend(self, id: Id, **fields: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """Suspend, with a `reason`."""
        return self.act(id, "suspend", **fields)

    def resume(self, id: Id, **fields: Unpack[bodies.Act]) -> One:  # noqa: A002
        """Resume after a suspension."""
        return self.act(id, "resume", **fields)

    def complete(self, id: Id, **fields: Unpack[bodies.TrainingEnd]) -> One:  # noqa: A002
        """Record the end, with the `outcome`."""
        return self.act(id, "complete", **fields)

    def interrupt(self, id: Id, **fields: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """Record an early end, with a `reason`."""
        return self.act(id, "interrupt", **fields)

    def cancel(self, id: Id, **fields: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """Cancel before the start, with a `reason`."""
        return self.act(id, "cancel", **fields)


class Placements(Stepped[One, Many]):
    """Placements with an employer."""

    NAME = "placements"

    def propose(self, **fields: Unpack[bodies.Placement]) -> One:
        """Propose a person to an employer."""
        return self._write("POST", (), fields)

    def list(self, *, box: Literal["proposer", "employer"] = "employer", status: str | None = None) -> Many:
        """Your placements, newest first."""
        return self._listed(box=box, status=status)

    def confirm(self, id: Id, **fields: Unpack[bodies.Act]) -> One:  # noqa: A002
        """Confirm as the employer."""
        return self.act(id, "confirm", **fields)

    def refuse(self, id: Id, **fields: Unpack[bodies.Refusal]) -> One:  # noqa: A002
        """Refuse as the employer, with a `reason`."""
        return self.act(id, "refuse", **fields)

    def start(self, id: Id, **fields: Unpack[bodies.Start]) -> One:  # noqa: A002
        """Record the first day of work."""
        return self.act(id, "start", **fields)

    def evaluate(self, id: Id, **fields: Unpack[bodies.Evaluation]) -> One:  # noqa: A002
        """Record an evaluation."""
        return self.act(id, "evaluate", **fields)

    def end(self, id: Id, **fields: Unpack[bodies.PlacementEnd]) -> One:  # noqa: A002
        """Record the end, with a `reason`."""
        return self.act(id, "end", **fields)

    def cancel(self, id: Id, **fields: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """Cancel before the start, with a `reason`."""
        return self.act(id, "cancel", **fields)

    def follow_up(self, id: Id, **fields: Unpack[bodies.FollowUp]) -> One:  # noqa: A002
        """Record the person's `situation` some `months` after the end."""
        return self.act(id, "follow-up", **fields)
