"""Referrals, trainings and placements: a method for each action of their tables."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, Unpack

from jalons.client import bodies
from jalons.client.bodies import Id
from jalons.client.exchange import Call
from jalons.client.noun import Many, One, Stepped
from schemas import codes


class Referrals(Stepped[One, Many]):
    """From one partner's call to the answer, and the way that follows."""

    NAME = "referrals"

    def send(self, **said: Unpack[bodies.Referral]) -> One:
        """Refer a person, known or given with it. Raises NoConvention, NoConsent."""
        return self._write("POST", (), said)

    def list(
        self, *, box: Literal["received", "sent"] = "received", status: codes.ReferralStatus | None = None
    ) -> Many:
        """Yours, newest first."""
        return self._listed(box=box, status=status)

    def table(
        self, *, box: Literal["received", "sent"] = "received", changed_since: datetime | date | None = None
    ) -> Many:
        """Yours as the rows of a table, by French heading, with your own `local_ref` under `Dossier`: for writing what
        became of them into your own system. changed_since: an instant (aware), or the day from which on."""
        asked = {"box": box, "changed_since": changed_since}
        return self._do.rows(
            Call(
                "GET", self.SERVICE, "/referrals.csv", asked, streamed=True, accept="text/csv, application/problem+json"
            )
        )

    def late(self) -> Many:
        """Those nobody answered and the coordinator was told of; for the coordinator."""
        return self._listed(late=True)

    def receive(self, id: Id, **said: Unpack[bodies.Reported]) -> One:  # noqa: A002
        """Seen."""
        return self.act(id, "receive", **said)

    def accept(self, id: Id, **said: Unpack[bodies.Acceptance]) -> One:  # noqa: A002
        """The receiver takes the person on."""
        return self.act(id, "accept", **said)

    def waitlist(self, id: Id, **said: Unpack[bodies.Waiting]) -> One:  # noqa: A002
        """Not now: at a `rank`, or `expected_on` a day."""
        return self.act(id, "waitlist", **said)

    def decline(self, id: Id, **said: Unpack[bodies.Decline]) -> One:  # noqa: A002
        """No, and who said so."""
        return self.act(id, "decline", **said)

    def redirect(self, id: Id, **said: Unpack[bodies.Redirection]) -> One:  # noqa: A002
        """To another `recipient`, the person having been asked. The answer is the new referral."""
        return self.act(id, "redirect", **said)

    def cancel(self, id: Id, **said: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """The referrer takes it back, with a `reason`."""
        return self.act(id, "cancel", **said)

    def start(self, id: Id, **said: Unpack[bodies.ReferralStart]) -> One:  # noqa: A002
        """What was referred for begins."""
        return self.act(id, "start", **said)

    def complete(self, id: Id, **said: Unpack[bodies.ReferralEnd]) -> One:  # noqa: A002
        """What was referred for is over."""
        return self.act(id, "complete", **said)

    def interrupt(self, id: Id, **said: Unpack[bodies.Interruption]) -> One:  # noqa: A002
        """It ends before its end, with a `reason`."""
        return self.act(id, "interrupt", **said)

    def reopen(self, id: Id, **said: Unpack[bodies.Reopening]) -> One:  # noqa: A002
        """Back to the state before, with a `reason`."""
        return self.act(id, "reopen", **said)

    def void(self, id: Id, **said: Unpack[bodies.Voiding]) -> One:  # noqa: A002
        """It should not have been recorded, with a `reason`."""
        return self.act(id, "void", **said)

    def suggest(self, id: Id, **said: Unpack[bodies.Suggestion]) -> One:  # noqa: A002
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

    def suspend(self, id: Id, **said: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """It stands still."""
        return self.act(id, "suspend", **said)

    def resume(self, id: Id, **said: Unpack[bodies.Act]) -> One:  # noqa: A002
        """It goes on."""
        return self.act(id, "resume", **said)

    def complete(self, id: Id, **said: Unpack[bodies.TrainingEnd]) -> One:  # noqa: A002
        """It is over."""
        return self.act(id, "complete", **said)

    def interrupt(self, id: Id, **said: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """It ends before its end, with a `reason`."""
        return self.act(id, "interrupt", **said)

    def cancel(self, id: Id, **said: Unpack[bodies.Stop]) -> One:  # noqa: A002
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

    def refuse(self, id: Id, **said: Unpack[bodies.Refusal]) -> One:  # noqa: A002
        """The employer says no, with a `reason`."""
        return self.act(id, "refuse", **said)

    def start(self, id: Id, **said: Unpack[bodies.Start]) -> One:  # noqa: A002
        """The person begins to work."""
        return self.act(id, "start", **said)

    def evaluate(self, id: Id, **said: Unpack[bodies.Evaluation]) -> One:  # noqa: A002
        """How it goes."""
        return self.act(id, "evaluate", **said)

    def end(self, id: Id, **said: Unpack[bodies.PlacementEnd]) -> One:  # noqa: A002
        """It is over, and why."""
        return self.act(id, "end", **said)

    def cancel(self, id: Id, **said: Unpack[bodies.Stop]) -> One:  # noqa: A002
        """It will not begin, with a `reason`."""
        return self.act(id, "cancel", **said)

    def follow_up(self, id: Id, **said: Unpack[bodies.FollowUp]) -> One:  # noqa: A002
        """The person's `situation` some `months` after the end."""
        return self.act(id, "follow-up", **said)
