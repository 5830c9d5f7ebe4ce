"""Why no meeting could be opened, in words, and what people can do now."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from bridge.locale import Text, Voice, mark
from bridge.locale.text import NOTHING, link


class Remedy(enum.Enum):
    """What helps."""

    AGAIN = enum.auto()
    """Trying again later, or making the meeting by hand."""
    SIGN_IN = enum.auto()
    """Signing in to Visio once."""
    REPORT = enum.auto()
    """Nothing that people in the room can do: an administrator has to change something."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause: what is said of it, without the full stop, and what helps."""

    words: str
    remedy: Remedy = Remedy.AGAIN


_UNKNOWN = Cause(mark("Something went wrong in the Visio service"))
CAUSES = {
    "sfu_unreachable": Cause(mark("The meeting server is not answering")),
    "sfu_refused": Cause(mark("The Visio service's configuration is broken"), Remedy.REPORT),
    "visio_unreachable": Cause(mark("Visio is not answering")),
    "visio_credentials": Cause(mark("Visio does not recognise this service"), Remedy.REPORT),
    "visio_unknown_user": Cause(mark("Visio does not know your account yet"), Remedy.SIGN_IN),
    "visio_domain": Cause(
        mark("Visio does not let this service open meetings for your e-mail domain"), Remedy.REPORT
    ),
    "visio_scope": Cause(mark("Visio does not let this service open meetings"), Remedy.REPORT),
    "visio_switched_off": Cause(mark("Visio does not take requests from this service"), Remedy.REPORT),
    "visio_nonsense": Cause(mark("Visio gave an answer that makes no sense"), Remedy.REPORT),
    "visio_email_unclear": Cause(
        mark("I cannot tell for certain which e-mail address is yours"), Remedy.REPORT
    ),
    "misconfigured": Cause(mark("The Visio service is not set up correctly"), Remedy.REPORT),
    "internal": _UNKNOWN,
}
"""What each ``Call.failure`` key says; an unknown key is ``internal``."""


def failure_lines(
    voice: Voice, cause: str | None, *, visio_url: str | None, support: str, reference: str | None
) -> list[Text]:
    """Why no meeting could be opened, what to do now, and the reference for the administrator.

    Args:
        voice: How to say it.
        cause: Key of `CAUSES`.
        visio_url: Where people can create a meeting by hand, if anywhere.
        support: Where people ask, or empty.
        reference: What the log calls it.
    """
    because = CAUSES.get(cause or "", _UNKNOWN)
    return [
        voice.text("{cause}. No meeting is open.", cause=voice.text(because.words)),
        *_what_helps(voice, because.remedy, visio_url, support),
        _reference(voice, reference),
    ]


def not_followed_lines(voice: Voice, cause: str | None, *, support: str, reference: str | None) -> list[Text]:
    """Why a link cannot be followed, which says nothing against the link, and what to do now."""
    because = CAUSES.get(cause or "", _UNKNOWN)
    again = voice.text("Try again in a few minutes: `{prefix} adopt <link>`")
    return [
        voice.text(
            "{cause}. I cannot follow this meeting; its link may work all the same.",
            cause=voice.text(because.words),
        ),
        _report(voice, support) if because.remedy is Remedy.REPORT else again,
        _reference(voice, reference),
    ]


def _what_helps(voice: Voice, remedy: Remedy, visio_url: str | None, support: str) -> list[Text]:
    visio = link(visio_url, visio_url) if visio_url else NOTHING
    if remedy is Remedy.REPORT:
        lines = [_report(voice, support)]
        if visio:
            by_hand = mark("Meanwhile, create the meeting here and paste its link in the room: {visio}")
            lines.append(voice.text(by_hand, visio=visio))
        return lines
    if remedy is Remedy.SIGN_IN and visio:
        return [voice.text("Sign in once at {visio}, then type `{prefix}` again.", visio=visio)]
    if visio:
        again = mark(
            "Try `{prefix}` again, or create the meeting here and paste its link in the room: {visio}"
        )
        return [voice.text(again, visio=visio)]
    return [voice.text("Try `{prefix}` again in a few minutes.")]


def _report(voice: Voice, support: str) -> Text:
    if not support:
        return voice.text("Trying again will not help; please tell whoever runs this service.")
    where = link(support, support)
    return voice.text("Trying again will not help; please report it: {support}", support=where)


def _reference(voice: Voice, reference: str | None) -> Text:
    return voice.text("Ref. {reference}", reference=reference) if reference else NOTHING
