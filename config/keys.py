"""The names of settings: with dots in problems, with underscores in the environment."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from config.section import is_secret, model_of
from config.settings import ENV_DELIMITER, ENV_PREFIX, Settings


def all_keys() -> Iterator[str]:
    """Every setting that can be written, with dots, ``…_file`` keys included."""
    for name, field in Settings.model_fields.items():
        section = model_of(field)
        if section is None:
            yield name
        else:
            yield from (f"{name}.{key}" for key in keys_of(section))


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """The keys of one section, ``…_file`` keys included."""
    for name, field in model.model_fields.items():
        yield name
        if is_secret(field):
            yield f"{name}_file"


def variable_of(key: str) -> str:
    """The environment variable of a setting: ``homeserver.url`` is ``PASSERELLE_HOMESERVER__URL``."""
    return ENV_PREFIX + key.upper().replace(".", ENV_DELIMITER)
