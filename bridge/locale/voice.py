"""A voice: one language, one time zone, one command prefix; everything said in a room goes through it."""

from __future__ import annotations

import datetime
import functools
import gettext
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from zoneinfo import ZoneInfo

import babel
from babel.dates import format_datetime, get_timezone_location
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bridge.locale.text import Text, fill

LANGUAGES = ("fr", "en", "de")
"""Languages that can be chosen; the first is the default."""

_MINUTE = 60_000
# English as written in Europe: "15 November", and no comma before "and".
_LOCALES = {"fr": "fr_FR", "en": "en_GB", "de": "de_DE"}
# Placeholders whose value may be a proper name, before which French "de" becomes "d’".
_ELIDED = re.compile(r"\b([Dd])e \{(city|app|name)\}")
_UTC = frozenset({"UTC", "Etc/UTC", "Etc/GMT", "GMT", "Etc/Zulu", "Zulu"})


def mark(msgid: str) -> str:
    """Mark a sentence of a table for translation; it is looked up later with `Voice.text`."""
    return msgid


@functools.cache
def _catalog(language: str) -> gettext.NullTranslations:
    """The sentences of one language, read from its ``.po`` file and compiled in memory."""
    source = resources.files("bridge.locale").joinpath(f"{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@functools.cache
def _locale(language: str) -> babel.Locale:
    return babel.Locale.parse(_LOCALES[language])


@dataclass(frozen=True, slots=True)
class Voice:
    """How the bridge speaks in one room.

    Attributes:
        language: One of `LANGUAGES`.
        timezone: IANA name of the zone that times are shown in.
        prefix: The word that commands begin with, as sentences show it.

    Raises:
        ValueError: the language or the time zone is not known.
    """

    language: str = LANGUAGES[0]
    timezone: str = "Europe/Paris"
    prefix: str = "!visio"

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"unknown language {self.language!r}; known: {', '.join(LANGUAGES)}")
        try:
            ZoneInfo(self.timezone)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"unknown time zone {self.timezone!r}; example: Europe/Paris") from error

    def text(self, msgid: str, /, **values: Text | str | int) -> Text:
        """A sentence in this language with its values put in; ``{prefix}`` is always known."""
        return self._fill(_catalog(self.language).gettext(msgid), values)

    def plural(self, one: str, many: str, count: int, /, **values: Text | str | int) -> Text:
        """The form of a sentence that goes with ``count``; ``{count}`` is always known."""
        template = _catalog(self.language).ngettext(one, many, count)
        return self._fill(template, {"count": count, **values})

    def _fill(self, template: str, values: dict[str, Text | str | int]) -> Text:
        if self.language == "fr":
            template = _ELIDED.sub(lambda found: _elide(found, values), template)
        return fill(template, {"prefix": self.prefix, **values})

    def clock(self, ts: int, *, near: int | None = None) -> str:
        """The time of day of ``ts`` (ms): ``10 h 02``, ``10:02``.

        The date is added when it is another day than that of ``near`` (ms), in this zone.
        """
        when = self._at(ts)
        # Translators: a CLDR time pattern, see https://unicode.org/reports/tr35/tr35-dates.html
        clock = format_datetime(when, self.text("HH:mm").plain, locale=_locale(self.language))
        if near is None or self._at(near).date() == when.date():
            return clock
        # Translators: a CLDR date pattern, as in "15 November"
        date = format_datetime(when, self.text("d MMMM").plain, locale=_locale(self.language))
        return self.text("{clock} on {date}", clock=clock, date=date).plain

    @property
    def zone(self) -> str:
        """What to say beside a time: ``heure de Paris``, ``Paris time``, ``UTC``."""
        if self.timezone in _UTC:
            return "UTC"
        city = get_timezone_location(self.timezone, locale=_locale(self.language), return_city=True)
        return self.text("{city} time", city=city).plain

    def duration(self, ms: int) -> str:
        """A length of time to the minute: ``45 min``, ``2 h``, ``1 h 05``."""
        hours, minutes = divmod(max(ms, 0) // _MINUTE, 60)
        if not hours and not minutes:
            return self.text("less than a minute").plain
        if not hours:
            return self.text("{minutes} min", minutes=minutes).plain
        if not minutes:
            return self.text("{hours} h", hours=hours).plain
        return self.text("{hours} h {minutes} min", hours=hours, minutes=f"{minutes:02}").plain

    def people(self, count: int) -> str:
        """How many people: ``3 personnes``, ``1 person``."""
        return self.plural("{count} person", "{count} people", count).plain

    def names(self, names: Sequence[str], more: int = 0) -> str:
        """Names as a list in words, and how many are not named: ``Marie, Paul et 3 autres``.

        The names must be safe for display already (`bridge.projections.names`).
        """
        items = list(names)
        if more > 0:
            items.append(self.plural("{count} other", "{count} others", more).plain)
        return format_list(items, locale=_locale(self.language))

    def language_name(self, language: str) -> str:
        """What a language is called in this one: ``français``, ``French``."""
        return babel.Locale.parse(language).get_display_name(_locale(self.language)) or language

    def _at(self, ts: int) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(ts / 1000, ZoneInfo(self.timezone))


def _elide(found: re.Match[str], values: dict[str, Text | str | int]) -> str:
    """French "de {name}" as it is spoken before that name: ``de Paris``, ``d’Oslo``."""
    letter, key = found.groups()
    first = unicodedata.normalize("NFD", str(values[key])[:1])[:1]
    return f"{letter}’{{{key}}}" if first and first in "aeiouAEIOU" else found[0]
