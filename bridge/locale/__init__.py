"""Every word the bridge says, in French (default), English and German.

``text.py`` pairs a sentence's plain form with its HTML; ``voice.py`` looks sentences up and formats
times, durations, people and lists; ``fr.po``, ``en.po`` and ``de.po`` hold the words.

The message ids are the English sentences themselves. A translator then sees the source and the
translation side by side, which is how every gettext editor and a review works, and the code
reads like what people will see. ``en.po`` is the template for new languages: its translations are
empty, which in gettext means that the message id stands.
"""

from __future__ import annotations

from bridge.locale.text import Message, Text
from bridge.locale.voice import LANGUAGES, Voice, mark

__all__ = ["LANGUAGES", "Message", "Text", "Voice", "mark"]
