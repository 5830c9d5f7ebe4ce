"""pydantic's errors in an admin's words: which setting, what is wrong, what to write."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.keys import all_keys, keys_of
from config.problems import Problem, Wrong
from config.section import is_secret, model_of
from config.settings import Settings


def problem_of(error: ErrorDetails) -> Problem:
    """One error of pydantic, found in a tree of settings, as a `Problem`."""
    place = [part for part in error["loc"] if part != "[key]"]
    key = ".".join(map(str, place))
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Wrong):
        return Problem(key, cause.wrong, cause.write)
    field = _field_at(place)
    if error["type"] == "extra_forbidden":
        return _unknown(place, error["input"])
    if error["type"] == "missing":
        return Problem(key, "is missing", _example(field, place))
    secret = field is not None and is_secret(field)
    given = "" if secret or isinstance(error["input"], dict | list) else f"{_shown(error['input'])} "
    return Problem(
        key, given + _WRONG.get(error["type"], f"does not fit ({error['msg']})"), _write(error, field, place)
    )


_WRONG = {
    "literal_error": "is not one of the words for it",
    "string_type": "is not text",
    "string_pattern_mismatch": "holds characters that it may not have",
    "string_too_short": "is empty",
    "string_too_long": "is too long",
    "too_short": "is empty",
    "int_parsing": "is not a whole number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "finite_number": "is not a whole number",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "list_type": "is not a list",
    "dict_type": "stands where settings should stand below it",
    "model_type": "stands where settings should stand below it",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
}

_WRITE = {
    "string_too_long": "at most {max_length} characters",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "finite_number": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}


def _write(error: ErrorDetails, field: FieldInfo | None, place: list[Any]) -> str:
    context = error.get("ctx", {})
    given = error["input"]
    if error["type"] == "literal_error":
        words = _words(context)
        close = difflib.get_close_matches(str(given), words, n=1)
        listed = f"one of: {', '.join(words)}"
        return f"{close[0]} ({listed})" if close else listed
    if error["type"] == "string_type" and not isinstance(given, dict | list):
        return _as_text(given, field, place)
    if error["type"] == "model_type" and field is not None and (model := model_of(field)) is not None:
        return f"“{place[-1]}:” alone, and below it, indented: {', '.join(model.model_fields)}"
    if error["type"] in _WRITE:
        return _WRITE[error["type"]].format(**context)
    return _example(field, place)


def _as_text(given: object, field: FieldInfo | None, place: list[Any]) -> str:
    """What to write where text belongs and YAML read something else: a number, or ``no`` as false."""
    if isinstance(given, bool) or (field is not None and is_secret(field)):
        quoted = "it in quotation marks"  # how it was spelled is not known any more, or is a secret
    else:
        quoted = f'"{given}" (in quotation marks)'
    try:
        TypeAdapter(field.rebuild_annotation() if field is not None else str).validate_python(str(given))
    except ValidationError as error:
        # Text, but still not what may stand there: quotation marks alone would only lead to the next problem.
        if field is not None and field.examples:
            return _example(field, place)
        cause = error.errors()[0].get("ctx", {}).get("error")
        return cause.write if isinstance(cause, Wrong) else quoted
    return quoted


def _words(context: Mapping[str, Any]) -> list[str]:
    listed = str(context.get("expected", "")).replace(" or ", ", ")
    return [word.strip("'").replace("False", "false") for word in listed.split(", ")]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"“{value}”"


def _example(field: FieldInfo | None, place: list[Any]) -> str:
    name = place[-1]
    if field is None:
        return "a value as in “passerelle config sample”"
    if is_secret(field):
        return f"{name}: …, or {name}_file: the path of a file that holds it"
    section = model_of(field)
    if section is not None and not field.examples:
        required = [key for key, inner in section.model_fields.items() if inner.is_required()]
        return f"the section {name} with {' and '.join(required)}"
    example = field.examples[0] if field.examples else field.get_default()
    return f"for example {name}: {plain(example)}"


def plain(value: object) -> str:
    """A value as it would stand in the file."""
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _field_at(place: list[Any]) -> FieldInfo | None:
    """The field that an error's location leads to; None where it leads into a mapping or to no field."""
    model: type[BaseModel] | None = Settings
    field: FieldInfo | None = None
    for part in place:
        if isinstance(part, int):
            continue
        if model is None or part not in model.model_fields:
            return None
        field = model.model_fields[part]
        model = model_of(field)
    return field


def _unknown(place: list[Any], value: object) -> Problem:
    """A setting that does not exist, with the one that was probably meant."""
    *above, name = [str(part) for part in place if not isinstance(part, int)]
    key = ".".join(map(str, place))
    parent = _field_at(place[:-1])
    model = model_of(parent) if parent is not None else Settings
    siblings = list(keys_of(model)) if model is not None else []
    wrong = "there is no such setting" if above or not isinstance(value, dict) else "there is no such section"
    if close := difflib.get_close_matches(name, siblings, n=1):
        return Problem(key, wrong, f"did you mean {'.'.join([*above, close[0]])}?")
    if not siblings:
        return Problem(key, wrong, f"nothing: {'.'.join(above)} has no settings in this version")
    elsewhere = [other for other in all_keys() if other.rsplit(".", 1)[-1] == name]
    if elsewhere:
        return Problem(key, wrong, f"did you mean {' or '.join(elsewhere)}?")
    return Problem(key, wrong, f"nothing, or one of: {', '.join(siblings)}")
