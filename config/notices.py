"""What is allowed but may surprise: settings without effect, and combinations with a catch.

A notice never keeps the bridge from starting; ``passerelle config check`` shows it. What cannot work is a
`config.problems.Problem` instead (`config.checks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config.problems import Notice
from config.rtc_notices import rtc_notices
from config.section import Section, model_of
from config.settings import Settings
from config.visio_notices import visio_notices


def notices(settings: Settings) -> tuple[Notice, ...]:
    """Everything worth a word, in the order of the sample."""
    order = list(Settings.model_fields)
    found = [notice for one in NOTICES for notice in one(settings)]
    return tuple(sorted(found, key=lambda notice: order.index(notice.key.partition(".")[0])))


def _what_this_version_does_not_use(settings: Settings) -> Iterator[Notice]:
    for name, field in Settings.model_fields.items():
        section = model_of(field)
        if section is None or not issubclass(section, Section) or section.in_use:
            continue
        given = sorted(key for key in settings.given if key.startswith(f"{name}."))
        if given:
            yield Notice(
                name,
                f"This version checks the section and does nothing with it: {', '.join(given)}"
                f" {'has' if len(given) == 1 else 'have'} no effect yet.",
                "Nothing has to be done; a later version will use it.",
            )
    if "ghosts" in settings.given and not settings.rtc.enabled:
        yield Notice(
            "ghosts",
            "Ghosts are in native calls only, which rtc.enabled: false switches off.",
            "Nothing has to be done.",
        )
    if settings.rtc.ring != "none" and not (settings.rtc.enabled and settings.rtc.gateway):
        yield Notice(
            "rtc.ring",
            "Nobody rings: people in Visio are in native calls only with rtc.enabled and the gateway.",
            "Nothing has to be done; people are called with the command appeler.",
        )


NOTICES: tuple[Callable[[Settings], Iterator[Notice]], ...] = (
    _what_this_version_does_not_use,
    visio_notices,
    rtc_notices,
)
