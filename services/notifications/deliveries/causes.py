"""Why a message did not go: each code with a sentence on the cause and one on the cure; nothing of the recipient's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A code, stable, and what it means to who reads it."""

    code: str
    cause: str
    cure: str


_ALL = (
    Cause("partner_unknown", "The directory has not yet said who this partner is.", "Nothing: it goes once it has."),
    Cause(
        "mailbox_missing",
        "The partner's record has no mailbox.",
        "Have the coordinator put one: PUT /partners/{partner}; the message then goes by itself.",
    ),
    Cause(
        "contact_unknown",
        "The directory has not yet said who the other party is.",
        "Nothing: it goes once it has.",
    ),
    Cause(
        "partner_suspended",
        "The partner is suspended.",
        "It goes when the coordinator makes the partner active again: PUT /partners/{partner}/status.",
    ),
    Cause("partner_left", "The partner has left the network.", "Tell them by other means if they still have to know."),
    Cause(
        "trial_only",
        "The record is a trial, and this partner is not a trial partner.",
        "Nothing; to try mails out, use a partner with `trial`.",
    ),
    Cause(
        "too_old",
        "The event was more than a week old when the hub first saw it here.",
        "Nothing; read what happened meanwhile from GET /events.",
    ),
    Cause(
        "waited_too_long",
        "The message waited 30 days for what was missing.",
        "Mend the partner's record or resume the subscription; read what was missed from GET /events.",
    ),
    Cause(
        "subscription_paused",
        "The subscription is paused.",
        "Resume it: POST /subscriptions/{name}/resume; what waits then goes.",
    ),
    Cause(
        "subscription_disabled",
        "The subscription is disabled.",
        "Put it again with an address that answers: PUT /subscriptions/{name}; read what was missed from GET /events.",
    ),
    Cause(
        "consent_withdrawn",
        "The person has withdrawn the agreement under which this was shared.",
        "Nothing; do not ask the person again through the hub.",
    ),
    Cause(
        "person_erased",
        "The person it was about has been erased from the hub.",
        "Nothing; erase what you keep of them, unless the law asks you to keep it.",
    ),
    Cause(
        "process_ended",
        "The hub ended while it was sending, so it is not known whether the message arrived.",
        "Nothing: it is sent again under the same id.",
    ),
    Cause("unexpected", "The hub failed in a way nobody foresaw.", "Tell the hub's operator if it stays."),
    # E-mail
    Cause(
        "mail_not_configured",
        "No mail server is set.",
        "The operator sets JALONS_SMTP_URL; `jalons doctor` checks it.",
    ),
    Cause("mail_server_away", "The mail server does not answer.", "Nothing now: it is tried again for three days."),
    Cause(
        "mail_server_login",
        "The mail server does not accept the hub's login.",
        "The operator corrects JALONS_SMTP_URL; it is tried again for three days.",
    ),
    Cause(
        "mail_server_without_tls",
        "The mail server offers no encryption, and a password is never sent without it.",
        "The operator names the server as smtps://, or one that offers STARTTLS.",
    ),
    Cause(
        "sender_refused",
        "The mail server does not accept the hub's own address.",
        "The operator corrects JALONS_MAIL_FROM; it is tried again for three days.",
    ),
    Cause("mailbox_busy", "The mailbox cannot take mail now.", "Nothing now: it is tried again for three days."),
    Cause(
        "mailbox_refused",
        "The mail server says that it will not take mail for this mailbox.",
        "Have the coordinator correct the mailbox: PUT /partners/{partner}; then POST /deliveries/{id}/retry.",
    ),
    Cause(
        "mailbox_invalid",
        "The mailbox in the partner's record is not an e-mail address.",
        "Have the coordinator correct it: PUT /partners/{partner}; then POST /deliveries/{id}/retry.",
    ),
    Cause(
        "message_refused",
        "The mail server does not take the message.",
        "The operator asks the mail server's keeper why; then POST /deliveries/{id}/retry.",
    ),
    # Webhooks
    Cause("url_malformed", "The URL is not one that can be called.", "Give https://host/path, in ASCII, no fragment."),
    Cause("url_not_https", "The URL is not https.", "Give an address with TLS."),
    Cause(
        "url_with_credentials",
        "The URL holds a user name or a password.",
        "Leave them out: the signature tells the receiver who calls.",
    ),
    Cause(
        "address_not_public",
        "The URL's host leads to an address that is not a public one.",
        "Give a host that is reachable from the internet.",
    ),
    Cause(
        "name_not_resolved",
        "The URL's host cannot be found.",
        "Check the name; it is tried again for three days.",
    ),
    Cause("receiver_away", "The receiver cannot be reached.", "Nothing now: it is tried again for three days."),
    Cause(
        "receiver_tls",
        "The receiver's certificate is not valid for its name.",
        "The partner renews it; it is tried again for three days.",
    ),
    Cause(
        "receiver_slow",
        "The receiver did not answer within 10 seconds.",
        "Answer 2xx first and work afterwards; it is tried again for three days.",
    ),
    Cause(
        "receiver_redirects",
        "The receiver answered with a redirect, which is never followed.",
        "Put the subscription with the final address; it is tried again for three days.",
    ),
    Cause(
        "receiver_busy",
        "The receiver asked to be left alone for a while.",
        "Nothing: it is tried again when the receiver said.",
    ),
    Cause(
        "receiver_refuses",
        "The receiver answered that it does not accept the request.",
        "The partner looks into its own log for the webhook-id; it is tried again for three days.",
    ),
    Cause(
        "receiver_fails",
        "The receiver answered that it failed.",
        "The partner looks into its own log for the webhook-id; it is tried again for three days.",
    ),
    Cause(
        "receiver_gone",
        "The receiver answered 410: it wants no more; the subscription is disabled.",
        "Put the subscription again when the receiver is back: PUT /subscriptions/{name}.",
    ),
    Cause(
        "secret_unreadable",
        "What is kept encrypted cannot be read with the hub's secret key.",
        "The operator gives the hub the JALONS_SECRET_KEY with which it was written.",
    ),
)

CAUSES = {cause.code: cause for cause in _ALL}
