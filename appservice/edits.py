"""How a message becomes an edit of an earlier one (Matrix specification, "Event replacements")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_edit(content: Mapping[str, Any], event_id: str) -> dict[str, Any]:
    """The content of an event that replaces another.

    Keys of our own stand at both levels, for readers that do not follow replacements. ``m.mentions``
    stands outside too, or it would count as absent; a relation to a thread stays with the first event.
    """
    new = {key: value for key, value in content.items() if key != "m.relates_to"}
    edit: dict[str, Any] = dict(new)
    edit["body"] = f"* {content.get('body', '')}"
    if "formatted_body" in content:
        edit["formatted_body"] = f"* {content['formatted_body']}"
    edit["m.new_content"] = new
    edit["m.relates_to"] = {"rel_type": "m.replace", "event_id": event_id}
    return edit
