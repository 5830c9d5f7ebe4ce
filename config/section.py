"""What every section of the settings has in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A group of settings.

    Each field has a description, for an admin, with the unit; a field that is required or empty by
    default has an example too. Both land in the sample.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    in_use: ClassVar[bool] = True
    """False while this version only checks the section and does not act on it; the sample says so."""


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds (itself, optional, or the items of a list), if any."""
    return next((kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)), None)


def is_secret(field: FieldInfo) -> bool:
    """Whether a field holds a secret, so that it may come from a file of its own."""
    return any(issubclass(kind, SecretStr) for kind in _kinds(field.annotation))


def is_path(field: FieldInfo) -> bool:
    """Whether a field holds the path of a file."""
    return any(issubclass(kind, Path) for kind in _kinds(field.annotation))


def is_list(field: FieldInfo) -> bool:
    """Whether a field holds a list."""
    return get_origin(field.annotation) is list


def _kinds(annotation: Any) -> Iterator[type]:
    if get_origin(annotation) in (Union, UnionType, list):
        for argument in get_args(annotation):
            yield from _kinds(argument)
    elif isinstance(annotation, type):
        yield annotation
