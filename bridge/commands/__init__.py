"""What people ask in chat: ``grammar`` reads it, one file per command obeys, ``answers`` has the words.

A new command is one file here and one line in `HANDLERS`.
"""

from __future__ import annotations
