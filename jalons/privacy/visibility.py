"""Who sees which field: the one table that every way out reads. A field that no row names is shown to nobody.

One block per noun: a row is one or more fields, a column is a reader's role, a cell says how the field is shown (a word
of FORMS) or why it is withheld (a word of REASONS). A row holds for the events' field and for the sheets' field of that
name, whether or not the field is sealed on the bus. `verb.field` is the field in events of that verb alone (`lapsed`: a
cancellation because an alternative was taken up), `sheet.field` the field in an act's sheet alone; either goes before
`field`. `-`, or a role without a column: no such reader.

Events also have an envelope, one block per topic; a row of the noun's own block goes before it. Whoever is not shown an
event's `type` is not shown the event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any


class Role(StrEnum):
    """What a reader is in an event or act. A reader with several roles has the first of them in this order."""

    HOME = "home"
    REFERRER = "referrer"
    RECEIVER = "receiver"
    REPORTER = "reporter"
    EMPLOYER = "employer"
    HOLDER = "holder"
    COORDINATOR = "coordinator"
    OTHER = "other"


ROLES: Mapping[Role, str] = {
    Role.HOME: "the partner that accompanies the person",
    Role.REFERRER: "the partner that refers the person or proposes a placement",
    Role.RECEIVER: "the recipient of a referral, the operator of a training, the recipient of a message",
    Role.REPORTER: "the partner that recorded a need or an activity",
    Role.EMPLOYER: "the employer of a placement, a recipient that is an employer; outside professional secrecy",
    Role.HOLDER: "a partner that holds an earlier disclosure, after a consent, a referral or the record ended",
    Role.COORDINATOR: "the network's coordinator",
    Role.OTHER: "any other partner",
}

FORMS: Mapping[str, str] = {
    "yes": "shown",
    "own": "shown as the reader's own: its alias of the person, an id of its own, what was shared with it",
    "day": "shown, cut to the day unless the reader acted itself",
    "front": "shown as the network's front, unless the kind of placement makes the CPAS a party (ART 60, ART 61)",
    "called": "as the front's; the proposer's if the person's agreement names `accompanist`",
}
REASONS: Mapping[str, str] = {
    "behind": "it would tell an employer who stands behind the person",
    "ended": "once something ended, the reader learns that, by reference, and nothing more",
    "few": "one need of a small commune may tell of one person",
    "home": "only the home partner needs it",
    "hub": "the hub keeps it for its own work",
    "joins": "two partners could join on it what they know of a person",
    "need": "it would tell why a referral was declined",
    "operator": "only the operator of the hub reads it",
    "person": "it leads to one person; the coordinator follows the network, not persons",
    "tried": "what else was tried for the person is for the referrer to know",
    "unneeded": "the reader does not need it for its part",
    "why": "why a person was sent and what came of it is under professional secrecy",
    "-": "no such reader",
}

ENVELOPES: Mapping[str, str] = {
    "jalons.pathways": """
        field                              home  referrer  receiver  reporter  employer  holder  coordinator
        specversion source type            yes   yes       yes       yes       yes       yes     yes
        id                                 own   own       own       own       own       own     own
        time recordedtime                  day   day       day       day       day       day     day
        subject                            yes   own       own       own       behind    own     person
        partner                            yes   yes       yes       yes       behind    behind  yes
        datacontenttype                    yes   yes       yes       yes       yes       yes     unneeded
        sequence partitionkey              yes   joins     joins     joins     joins     joins   person
        correlationid causationid          own   joins     joins     joins     joins     joins   person
        traceparent                        yes   joins     joins     joins     joins     joins   person
    """,
    "jalons.directory": """
        field                                        reporter  other  coordinator
        specversion source type datacontenttype      yes       yes    yes
        id                                           own       own    own
        time recordedtime                            day       day    day
        subject partner sequence partitionkey        yes       yes    yes
        correlationid causationid traceparent        joins     joins  joins
    """,
    "jalons.deliveries": """
        field                                        receiver
        specversion source type datacontenttype      yes
        id                                           own
        time recordedtime                            day
        subject partner sequence partitionkey        yes
        correlationid causationid traceparent        joins
    """,
    "jalons.dead-letters": """
        field                                                         other     coordinator
        specversion id source type time recordedtime datacontenttype  operator  operator
        subject partner sequence partitionkey                         operator  operator
        correlationid causationid traceparent                         operator  operator
    """,
}
"""Topic → the envelope of its events."""

NOUNS: Mapping[str, str] = {
    "referral": """
        field                                        home  referrer  receiver  employer  coordinator  holder
        suggested.type                               yes   yes       tried     tried     yes          tried

        referral_id                                  yes   yes       yes       yes       person       yes
        reference ref                                yes   yes       yes       yes       yes          yes
        status version actions                       yes   yes       yes       yes       yes          yes
        reopened.status                              yes   yes       yes       yes       unneeded     yes
        beneficiary                                  yes   own       own       own       person       ended
        home                                         yes   home      home      behind    person       ended
        referrer from                                yes   yes       yes       behind    yes          ended
        recipient to                                 yes   yes       yes       yes       yes          ended
        moment                                       yes   yes       yes       yes       yes          ended
        offer recipient_kind offer_type              yes   yes       yes       yes       unneeded     ended

        reason finer goal chosen_by disclosed        yes   yes       yes       why       why          ended
        contact                                      yes   yes       yes       yes       unneeded     ended
        reply_by                                     yes   yes       yes       yes       yes          ended
        follows alternative_to parent                yes   yes       tried     tried     person       ended

        first_contact_on place                       yes   yes       yes       yes       unneeded     ended
        rank expected_on                             yes   yes       yes       yes       unneeded     ended
        started_on answered_by answered_by_id        yes   yes       yes       yes       unneeded     ended
        reported_by                                  yes   yes       yes       yes       unneeded     ended
        employer_calls                               yes   yes       unneeded  yes       unneeded     ended
        said said_on stop_asked_on                   yes   yes       unneeded  unneeded  why          ended
        outcome                                      yes   yes       yes       why       why          ended
        declined_by decline_reason decline_finer     yes   yes       yes       why       why          ended
        cancel_reason cancel_finer                   yes   yes       yes       why       why          ended
        interrupt_reason interrupt_finer             yes   yes       yes       why       why          ended
        reopen_reason                                yes   yes       yes       why       why          ended
        void_reason voided.reason                    yes   yes       unneeded  unneeded  why          ended

        lapsed redirected_to suggested_offer         yes   yes       tried     tried     person       ended
        redirected_reference new_recipient           yes   yes       tried     tried     joins        ended
        suggested_partner                            yes   yes       tried     tried     yes          ended
        sheet.redirected_reference                   yes   yes       tried     tried     unneeded     ended
        sheet.new_recipient sheet.suggested_partner  yes   yes       tried     tried     unneeded     ended
        alternatives                                 yes   yes       yes       behind    unneeded     ended
        sheet.also_open                              yes   yes       unneeded  unneeded  unneeded     ended

        agreement_ended                              yes   yes       home      home      person       yes
        sheet.uncovered_on sheet.agreement_ended     yes   yes       home      home      person       ended
        uncovered sheet.uncovered_by                 yes   hub       hub       hub       hub          hub

        number about since                           yes   yes       yes       yes       yes          ended
        age_days                                     -     -         -         -         yes          -

        local_ref                                    yes   home      home      home      person       home
        happened_on                                  yes   yes       yes       yes       unneeded     ended
        changed                                      yes   yes       yes       yes       unneeded     yes
        erased                                       yes   yes       yes       yes       unneeded     ended
        trial                                        yes   hub       hub       hub       hub          hub
        sheet.trial sheet.last_act sheet.terms       hub   hub       hub       hub       hub          hub
        sheet.recipient_kind sheet.offer_type        hub   hub       hub       hub       hub          hub
        sheet.sent_at sheet.answered_by_id           hub   hub       hub       hub       hub          hub
        sheet.sent_on sheet.last_on                  hub   hub       hub       hub       hub          hub
        sheet.earlier_recipients                     hub   hub       hub       hub       hub          hub
    """,
    "training": """
        field                                        home  receiver  coordinator  holder
        training_id                                  yes   yes       person       yes
        reference ref                                yes   yes       yes          yes
        status version actions                       yes   yes       -            yes
        beneficiary                                  yes   own       -            ended
        home                                         yes   home      person       ended
        operator moment                              yes   yes       yes          ended
        offer                                        yes   yes       unneeded     ended
        referral_id                                  yes   yes       person       ended

        kind tool goal chosen_by                     yes   yes       why          ended
        planned_start planned_end started_on         yes   yes       unneeded     ended
        outcome hours_done                           yes   yes       why          ended
        reason finer suspend_reason suspend_finer    yes   yes       why          ended
        interrupt_reason interrupt_finer             yes   yes       why          ended
        cancel_reason cancel_finer                   yes   yes       why          ended
        about since                                  yes   yes       yes          ended

        agreement_ended                              yes   home      person       yes
        sheet.uncovered_on sheet.agreement_ended     yes   home      person       ended
        uncovered sheet.uncovered_by                 yes   hub       hub          hub
        erased                                       yes   yes       -            yes
        trial                                        yes   hub       hub          hub
        sheet.trial sheet.last_act sheet.last_on     hub   hub       -            hub
        sheet.operator_kind                          hub   hub       -            hub
    """,
    "placement": """
        field                                        home  referrer  employer  coordinator  holder
        followed_up.type follow_up_due.type          yes   yes       unneeded  yes          unneeded
        end_near.type                                yes   yes       unneeded  yes          unneeded

        placement_id                                 yes   yes       yes       person       yes
        reference ref                                yes   yes       yes       yes          yes
        status version actions                       yes   yes       yes       -            yes
        beneficiary                                  yes   own       own       -            ended
        home                                         yes   home      behind    person       ended
        proposer                                     yes   yes       behind    yes          ended
        employer                                     yes   yes       yes       yes          ended
        legal_employer offer                         yes   yes       yes       unneeded     ended
        employer_calls                               yes   yes       yes       unneeded     ended
        referral_id                                  yes   yes       behind    person       ended

        kind occupation                              yes   yes       yes       why          ended
        goal chosen_by                               yes   yes       why       why          ended
        planned_start planned_end                    yes   yes       yes       unneeded     ended
        started_on ended_on                          yes   yes       yes       unneeded     ended
        outcome evaluation                           yes   yes       why       why          ended
        reason finer refuse_reason refuse_finer      yes   yes       why       why          ended
        end_reason end_finer                         yes   yes       why       why          ended
        cancel_reason cancel_finer                   yes   yes       why       why          ended
        situation follow_ups                         yes   yes       why       why          ended
        about since                                  yes   yes       yes       yes          ended
        months                                       yes   yes       unneeded  yes          ended

        agreement_ended                              yes   yes       home      person       yes
        sheet.uncovered_on sheet.agreement_ended     yes   yes       home      person       ended
        uncovered sheet.uncovered_by                 yes   hub       hub       hub          hub
        erased                                       yes   yes       yes       -            yes
        trial                                        yes   hub       hub       hub          hub
        sheet.trial sheet.last_act sheet.last_on     hub   hub       hub       -            hub
    """,
    "beneficiary": """
        field                                        home  referrer  receiver  employer  holder  coordinator
        said.type                                    yes   yes       unneeded  -         -       yes

        home                                         yes   home      home      behind    ended   person
        profile profile_version                      yes   -         -         -         -       person
        reason finer                                 yes   -         -         -         -       why
        receipt_id partners                          yes   -         -         joins     joins   person
        holdings                                     yes   -         -         own       own     person

        referral_id                                  yes   yes       unneeded  -         -       person
        reference referrer recipient                 yes   yes       unneeded  -         -       yes
        said                                         yes   yes       unneeded  -         -       why
        trial                                        yes   hub       hub       hub       hub     hub
    """,
    "consent": """
        field                                        home  employer  holder  coordinator
        given.type restored.type renewal_due.type    yes   home      home    yes

        consent_id home purposes expires_on          yes   ended     ended   person
        attributes channel convention_id             yes   ended     ended   person
        ends_on number cancelled_on                  yes   home      home    person
        partners restored                            yes   joins     joins   person
        holdings                                     yes   own       own     person
        trial                                        yes   hub       hub     hub
    """,
    "need": """
        field                                        home  reporter  other  coordinator
        type                                         yes   yes       few    need
        reported.type                                -     yes       few    few
        reported.trial                               -     yes       few    few

        need_id said_by source                       yes   yes       few    need
        domain kind commune_nis met offer            yes   yes       few    need
        obstacle offer_type referral_id moment       yes   -         -      need
        reference                                    yes   -         -      -
        beneficiary                                  yes   own       -      -
        met_by_offer happened_on                     yes   yes       -      -
        home                                         yes   home      -      person
        trial                                        yes   hub       -      hub
    """,
    "activity": """
        field                                        home  reporter  coordinator
        activity_id said_by                          yes   yes       person
        training_id referral_id                      yes   yes       person
        form                                         yes   yes       why
        beneficiary                                  yes   own       -
        on                                           yes   yes       -
        home                                         yes   home      person
        trial                                        yes   hub       hub
    """,
    "callback": """
        field                                        home  referrer  reporter  coordinator
        referral_id placement_id                     yes   yes       yes       person
        reference proposer said_by                   yes   yes       yes       yes
        home                                         yes   home      home      person
        trial                                        yes   hub       hub       hub
    """,
    "pathway": """
        field                                        home  coordinator
        moment at                                    yes   yes
        step home                                    yes   person
        rule                                         yes   unneeded
    """,
    "step": """
        field                                        home  receiver
        moment entered_at left_at partner cause      yes   yes
        goal chosen_by follows                       yes   home
    """,
    "mail": """
        field                                        home  referrer  receiver  employer  holder  coordinator
        contact.name contact.mailbox                 yes   yes       yes       front     yes     yes
        contact.phone contact.phone_hours            yes   yes       yes       called    yes     yes
    """,
    "notification": """
        field                                        receiver
        delivery_id about_type channel recipient     yes
        about                                        own
        attempts cause                               yes
    """,
    "dead_letter": """
        field                                        other     coordinator
        dead_letter_id service topic partition       operator  operator
        offset reason                                operator  operator
    """,
    "partner": """
        field                                                     other  coordinator
        slug name kind sector commune_nis moments secrecy_class   yes    yes
        status mailbox phone phone_hours address language trial   yes    yes
        places                                                    yes    yes
        front                                                     yes    yes
        valid_from valid_to                                       yes    yes
    """,
    "convention": """
        field                                                     other  coordinator
        convention_id parties status valid_from valid_to scope    yes    yes
        shared_attributes legal_basis reply_within_working_days   yes    yes
        remind_on_working_days expire_after_days                  yes    yes
        escalate_on_working_day number cancelled_on               yes    yes
    """,
    "offer": """
        field                                                     other  coordinator
        offer partner title moment type status places taken       yes    yes
        commune_nis transport_help childcare mailbox place        yes    yes
        project valid_from valid_to last_confirmed_on             yes    yes
    """,
}
"""Noun → its fields. `step`: a step in the answer of `GET /pathways`. `mail`: what a mail says of the other party,
beside the fields of its event."""

Row = Mapping[Role, str]


def _rows(block: str) -> Iterator[tuple[str, Row]]:
    """Each field of a block with its row. Raises ValueError for a word that is in neither FORMS nor REASONS."""
    heading, *lines = (line.split() for line in block.splitlines() if line.strip())
    roles = [Role(name) for name in heading[1:]]
    for line in lines:
        fields, cells = line[: -len(roles)], line[-len(roles) :]
        if not fields or not {*cells} <= FORMS.keys() | REASONS.keys():
            raise ValueError(f"not a row of this table: {' '.join(line)}")
        for field in fields:
            yield field, dict(zip(roles, cells, strict=True))


TABLE: Mapping[str, Mapping[str, Row]] = {
    name: dict(_rows(block)) for name, block in (*NOUNS.items(), *ENVELOPES.items())
}
"""Noun or topic → field → role → how it is shown, or why not."""


@cache
def row(noun: str, field: str, verb: str = "sheet", topic: str = "") -> Row | None:
    """The row of a field; None if no row names it.

    verb: an event's, or `sheet` for a field of an act's answer. topic: an event's, whose envelope has the field if the
    noun has not.
    """
    of_noun = TABLE[noun]
    return of_noun.get(f"{verb}.{field}") or of_noun.get(field) or TABLE.get(topic, {}).get(field)


def cell(noun: str, field: str, role: Role, verb: str = "sheet", topic: str = "") -> str:
    """How a role sees a field: a word of FORMS, or of REASONS if the field is withheld. Arguments as for `row`."""
    return (row(noun, field, verb, topic) or {}).get(role, "-")


def visible(noun: str, fields: Mapping[str, Any], role: Role) -> dict[str, Any]:
    """The fields of an act's answer that a role sees. `own` fields are the caller's to give as the reader's own."""
    return {name: value for name, value in fields.items() if cell(noun, name, role) in FORMS}
