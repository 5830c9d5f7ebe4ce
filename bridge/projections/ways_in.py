"""How people get into a meeting: the link, who can enter, the telephone, and what it is not."""

from __future__ import annotations

from bridge.calls.model import Call
from bridge.locale import Text, Voice
from bridge.locale.text import NOTHING, link
from bridge.projections.names import one_line
from bridge.projections.style import CardStyle

_NUMBER_LIMIT = 30


def join_line(url: str | None, voice: Voice) -> Text:
    """The line with the link; in HTML the link's words say where it leads."""
    if not url:
        return NOTHING
    address = voice.text("Join the meeting: {url}", url=url.removeprefix("https://"))
    return Text(voice.text("Join the meeting: {url}", url=url).plain, link(url, address).html)


def ways_in(call: Call, style: CardStyle) -> Text:
    """Who can enter, and how else than by the link."""
    voice = style.voice
    by_phone = NOTHING
    if call.dial_in is not None:
        number, pin = one_line(call.dial_in.number, _NUMBER_LIMIT), one_line(call.dial_in.pin, _NUMBER_LIMIT)
        by_phone = voice.text("By phone: {number}, code {pin}.", number=number, pin=pin)
    button = NOTHING
    bridged = style.native_bridged and call.access in ("public", "trusted") and not call.unseen
    if bridged and style.app_name and not call.encrypted_room:
        button = voice.text("The call button in {app} leads to the same meeting.", app=style.app_name)
    return Text.join(" ", [_access(call, style), by_phone, button])


def _access(call: Call, style: CardStyle) -> Text:
    voice = style.voice
    # A meeting that the room only follows has an owner of its own.
    can_admit = (style.can_admit or call.adopted) and not call.ownerless
    match call.access:
        case "public":
            return voice.text("Anyone with this link can enter.")
        case "trusted" if can_admit:
            return voice.text(
                "With ProConnect (French State) you go straight in; otherwise an organiser must let you in."
            )
        case "trusted":
            return voice.text("Without ProConnect you will not be able to enter.")
        case "restricted" if can_admit:
            return voice.text("An organiser must let you in.")
        case "restricted":
            return voice.text("Nobody will be able to let you in.")
    return NOTHING


def encryption_line(call: Call, style: CardStyle) -> Text:
    """What people in an encrypted room must know."""
    if not call.encrypted_room:
        return NOTHING
    voice = style.voice
    warning = voice.text("Note: this room is end-to-end encrypted, the meeting is not.")
    if not style.app_name:
        return warning
    if style.native_people is None:
        other = voice.text(
            "The call button in {app} opens another, encrypted call, without the people of the meeting.",
            app=style.app_name,
        )
    else:
        other = voice.plural(
            "The call button in {app} opens another, encrypted call, without the people of the meeting"
            " ({count} person is in it).",
            "The call button in {app} opens another, encrypted call, without the people of the meeting"
            " ({count} people are in it).",
            style.native_people,
            app=style.app_name,
        )
    return Text.join(" ", [warning, other])
