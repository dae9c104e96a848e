"""Why a message was not sent: each code has a sentence on the cause and one on the cure; no address, no URL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A stable code and its meaning for the reader."""

    code: str
    cause: str
    cure: str


_ALL = (
    Cause(
        "partner_unknown",
        "The directory has no record of this partner yet.",
        "Nothing: it is sent when the record arrives.",
    ),
    Cause(
        "mailbox_missing",
        "The partner's record has no mailbox.",
        "The coordinator adds one: PUT /partners/{partner}; the message is then sent.",
    ),
    Cause(
        "contact_unknown",
        "The directory has no record of the other party yet.",
        "Nothing: it is sent when the record arrives.",
    ),
    Cause(
        "partner_suspended",
        "The partner is suspended.",
        "It is sent when the coordinator makes the partner active again: PUT /partners/{partner}/status.",
    ),
    Cause(
        "partner_left",
        "The partner has left the network.",
        "Inform the partner by other means if it still needs to know.",
    ),
    Cause(
        "trial_only",
        "The record is a trial, and the recipient is not a trial partner.",
        "Nothing. To try e-mails, use a partner with `trial`.",
    ),
    Cause(
        "too_old",
        "The event was more than a week old when the hub first saw it here.",
        "Nothing. GET /events has what happened meanwhile.",
    ),
    Cause(
        "waited_too_long",
        "The message waited 30 days for what was missing.",
        "Correct the partner's record or resume the subscription; GET /events has what was missed.",
    ),
    Cause(
        "subscription_paused",
        "The subscription is paused.",
        "Resume it: POST /subscriptions/{name}/resume; waiting messages are then sent.",
    ),
    Cause(
        "subscription_disabled",
        "The subscription is disabled.",
        "Save it again with a URL that answers: PUT /subscriptions/{name}; GET /events has what was missed.",
    ),
    Cause(
        "consent_withdrawn",
        "The agreement under which this was shared has ended.",
        "Nothing. Do not ask the person again through the hub.",
    ),
    Cause(
        "person_erased",
        "The person has been erased from the hub.",
        "Nothing. Erase what you keep about the person, unless the law requires you to keep it.",
    ),
    Cause(
        "process_ended",
        "The hub stopped while it was sending, so it is not known whether the message arrived.",
        "Nothing: it is sent again under the same id.",
    ),
    Cause("unexpected", "The hub failed unexpectedly.", "Tell the hub's operator if it persists."),
    # E-mail
    Cause(
        "mail_not_configured",
        "No mail server is configured.",
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
        "The mail server offers no TLS, and a password is not sent without it.",
        "The operator uses smtps://, or a server that offers STARTTLS.",
    ),
    Cause(
        "sender_refused",
        "The mail server does not accept the hub's sender address.",
        "The operator corrects JALONS_MAIL_FROM; it is tried again for three days.",
    ),
    Cause("mailbox_busy", "The mailbox cannot accept mail now.", "Nothing now: it is tried again for three days."),
    Cause(
        "mailbox_refused",
        "The mail server does not accept mail for this mailbox.",
        "The coordinator corrects the mailbox: PUT /partners/{partner}; then POST /deliveries/{id}/retry.",
    ),
    Cause(
        "mailbox_invalid",
        "The mailbox in the partner's record is not an e-mail address.",
        "The coordinator corrects it: PUT /partners/{partner}; then POST /deliveries/{id}/retry.",
    ),
    Cause(
        "message_refused",
        "The mail server does not accept the message.",
        "The operator asks the mail server's administrator why; then POST /deliveries/{id}/retry.",
    ),
    # Webhooks
    Cause("url_malformed", "The URL is malformed.", "Give https://host/path, in ASCII, without a fragment."),
    Cause("url_not_https", "The URL is not https.", "Give an https URL."),
    Cause(
        "url_with_credentials",
        "The URL contains a user name or a password.",
        "Leave them out: the signature identifies the hub.",
    ),
    Cause(
        "address_not_public",
        "The URL's host resolves to an address that is not public.",
        "Give a host that is reachable from the internet.",
    ),
    Cause(
        "name_not_resolved",
        "The URL's host cannot be resolved.",
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
        "Answer 2xx first and process afterwards; it is tried again for three days.",
    ),
    Cause(
        "receiver_redirects",
        "The receiver answered with a redirect, which is never followed.",
        "Save the subscription with the final URL; it is tried again for three days.",
    ),
    Cause(
        "receiver_busy",
        "The receiver answered 429 or 503.",
        "Nothing: it is tried again after its Retry-After.",
    ),
    Cause(
        "receiver_refuses",
        "The receiver answered 4xx.",
        "The partner looks up the webhook-id in its log; it is tried again for three days.",
    ),
    Cause(
        "receiver_fails",
        "The receiver answered 5xx.",
        "The partner looks up the webhook-id in its log; it is tried again for three days.",
    ),
    Cause(
        "receiver_gone",
        "The receiver answered 410, which disables the subscription.",
        "Save the subscription again when the receiver is back: PUT /subscriptions/{name}.",
    ),
    Cause(
        "secret_unreadable",
        "Stored secrets cannot be decrypted with the hub's secret key.",
        "The operator restores the JALONS_SECRET_KEY with which they were encrypted.",
    ),
)

CAUSES = {cause.code: cause for cause in _ALL}
