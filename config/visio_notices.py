"""What may surprise about settings of Visio that are each right by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Notice
from config.settings import Settings


def visio_notices(settings: Settings) -> Iterator[Notice]:
    """Every surprise with Visio."""
    yield from _nobody_to_let_people_in(settings)
    yield from _nobody_to_open_for(settings)


def _nobody_to_let_people_in(settings: Settings) -> Iterator[Notice]:
    visio = settings.visio
    if visio is None or settings.calls.provider != "visio" or visio.access_level == "public":
        return
    if visio.owner == "service" or visio.unknown_users == "service":
        whose = "Meetings" if visio.owner == "service" else "Meetings of people whom Visio does not know"
        waits = "everybody" if visio.access_level == "restricted" else "whoever does not log in"
        yield Notice(
            "visio.access_level",
            f"{whose} belong to the service account, as which nobody ever logs in: where access is"
            f" {visio.access_level}, {waits} waits in the lobby for somebody to let them in, and nobody can.",
            "Write visio.owner: user (with visio.emails, and unknown_users: refuse), so that whoever opens a"
            " meeting can let people in, or visio.access_level: public"
            + (". Leave it so if everybody logs in." if visio.access_level == "trusted" else "."),
        )


def _nobody_to_open_for(settings: Settings) -> Iterator[Notice]:
    visio = settings.visio
    if visio is None or settings.calls.provider != "visio" or visio.owner != "user" or visio.emails:
        return
    if visio.unknown_users == "refuse":
        consequence = "so nobody can open a meeting (links that people post can be followed)"
    else:
        consequence = "so every meeting belongs to the service account"
    yield Notice(
        "visio.emails",
        "It is empty: no user id tells an e-mail address, " + consequence + ".",
        'Write for each homeserver how its user ids tell addresses, such as {"example.org": "*@example.org"},'
        " or visio.owner: service.",
    )
