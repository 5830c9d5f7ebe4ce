"""Which handler obeys which command: one line each."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.commands import about, adopt, end, find, grammar, language, open, organise, ring
from bridge.commands.request import Obey

HANDLERS: Mapping[type, Obey] = {
    grammar.Open: open.open_call,
    grammar.OpenSeparate: open.open_call,
    grammar.Help: about.say_help,
    grammar.Link: find.repeat_link,
    grammar.Status: find.say_status,
    grammar.Ping: about.say_pong,
    grammar.Version: about.say_version,
    grammar.Ring: ring.ring,
    grammar.Adopt: adopt.adopt,
    grammar.End: end.end_call,
    grammar.Mute: organise.mute,
    grammar.Kick: organise.kick,
    grammar.SetLanguage: language.set_language,
    grammar.Usage: about.say_usage,
    grammar.NearMiss: about.ask_near_miss,
}
