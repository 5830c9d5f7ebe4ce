"""Where settings come from: the YAML file, the environment, and files that hold one secret each.

Every source is read into plain nested dictionaries; what cannot be read is noted as a `Problem` and left out,
so that one look finds all of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from config.keys import all_keys, variable_of
from config.problems import Problem
from config.section import is_list, is_secret, model_of
from config.settings import ENV_DELIMITER, ENV_PREFIX, Settings

Tree = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently take the last."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[Hashable, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, Hashable):
            raise yaml.MarkedYAMLError(problem="a key is not a word", problem_mark=key_node.start_mark)
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"“{key}” stands twice, here and on line {seen[key]}",
                problem_mark=key_node.start_mark,
            )
        seen[key] = line
    return loader.construct_mapping(node, deep=True)


def _as_written(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
# No setting is a date, and one that does not exist would end the reading.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_written)


def read_yaml(path: Path, problems: list[Problem]) -> Tree:
    """The content of a settings file; what is left empty counts as left out."""
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        advice = f"passerelle config sample > {path}, then edit it; or name another file with -c"
        problems.append(Problem(str(path), "there is no such file", advice))
    except OSError as error:
        problems.append(Problem(str(path), f"cannot be read: {error.strerror}", "a file that can be read"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        problems.append(Problem(where, *_in_plain_words(error)))
    except (UnicodeDecodeError, yaml.YAMLError):
        problems.append(Problem(str(path), "is not UTF-8 text", "plain text in UTF-8"))
    except ValueError:
        problems.append(Problem(str(path), "holds a number that is too long to be read", "a shorter one"))
    except RecursionError:
        problems.append(Problem(str(path), "is nested too deeply", "sections, and settings below them"))
    else:
        if tree is None or isinstance(tree, dict):
            return _pruned(tree or {})
        problems.append(Problem(str(path), "is not a list of settings", "lines of the form “section:”"))
    return {}


_QUOTE_IT = "that word in quotation marks"

_SLIPS = (
    ("'\\t'", "there is a tab in the indentation", "spaces"),
    ("mapping values are not", "there is a colon where none is expected", "the value in quotation marks"),
    ("a tag", "a word that begins with ! has a meaning of its own in YAML", _QUOTE_IT),
    ("for the tag", "a word that begins with ! has a meaning of its own in YAML", _QUOTE_IT),
    ("alias", "a word that begins with * has a meaning of its own in YAML", _QUOTE_IT),
    ("anchor", "a word that begins with & has a meaning of its own in YAML", _QUOTE_IT),
    ("start any token", "a word cannot begin with this character in YAML", _QUOTE_IT),
)
"""What PyYAML says of slips that admins make, and what we say."""


def _in_plain_words(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    said = f"{error.context}: {error.problem}"
    if error.problem and "stands twice" in error.problem:
        return error.problem, "it once"
    for clue, wrong, write in _SLIPS:
        if clue in said:
            return wrong, write
    return f"this is not YAML ({error.problem})", "“key: value”, indented with spaces below its section"


def _pruned(tree: Mapping[Any, Any]) -> Tree:
    return {
        str(key): _pruned(value) if isinstance(value, dict) else value
        for key, value in tree.items()
        if value is not None
    }


class _Environment(EnvSettingsSource):
    """pydantic-settings' reading of environment variables, from a mapping that is handed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._environ, self.case_sensitive, True, self.env_parse_none_str)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        # Lists and mappings are written as in the file, not as JSON only.
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value


def read_environment(environ: Mapping[str, str], problems: list[Problem]) -> Tree:
    """The settings among environment variables, ``PASSERELLE_HOMESERVER__URL`` and the like.

    Variables that only begin with the prefix are left alone: Kubernetes sets ``PASSERELLE_PORT`` and others
    for a service of that name. One that is a setting but for an underscore is a problem.
    """
    ours = {name: value for name, value in environ.items() if name.upper().startswith(ENV_PREFIX)}
    known = {key: variable_of(key) for key in all_keys()}
    by_single_underscores = {name.replace(ENV_DELIMITER, "_"): name for name in known.values()}
    for name in ours:
        meant = by_single_underscores.get(name.upper().replace(ENV_DELIMITER, "_"))
        if meant is not None and meant != name.upper():
            problems.append(Problem(name, "has the wrong number of underscores", f"{meant}=…", source=name))
    sections = {field.upper() for field in Settings.model_fields}
    for name in ours:
        head, delimiter, _ = name.upper().removeprefix(ENV_PREFIX).partition(ENV_DELIMITER)
        if delimiter and head not in sections:
            problems.append(Problem(name, "there is no such setting", "a name from the sample", source=name))
    return _Environment(ours)()


def read_secrets(
    tree: Tree, model: type[BaseModel], folder: Path, problems: list[Problem], prefix: str = ""
) -> Tree:
    """The same tree with every ``…_file`` replaced by what the file holds.

    Args:
        tree: One source's settings; unchanged.
        model: The model that they belong to.
        folder: Where paths that are not absolute start.
        problems: Gets a line for each file that cannot be read or is empty.
        prefix: Where the tree stands, as the beginning of a key.
    """
    result = dict(tree)
    for name, field in model.model_fields.items():
        inner = model_of(field)
        value = result.get(name)
        if inner is not None and isinstance(value, dict):
            result[name] = read_secrets(value, inner, folder, problems, f"{prefix}{name}.")
        elif inner is not None and is_list(field) and isinstance(value, list):
            result[name] = [
                read_secrets(item, inner, folder, problems, f"{prefix}{name}.{index}.")
                if isinstance(item, dict)
                else item
                for index, item in enumerate(value)
            ]
        elif is_secret(field) and f"{name}_file" in result:
            key = f"{prefix}{name}"
            path = result.pop(f"{name}_file")
            if name in result:
                problems.append(
                    Problem(f"{key}_file", f"stands beside {key}, which is the same", "one of them")
                )
            elif (secret := _read_secret(folder, path, f"{key}_file", problems)) is not None:
                result[name] = secret
    return result


def _read_secret(folder: Path, path: object, key: str, problems: list[Problem]) -> str | None:
    if not isinstance(path, str):
        problems.append(Problem(key, "is not a path", "the path of a file that holds the secret alone"))
        return None
    try:
        secret = (folder / path).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        # A ValueError is a file that is not UTF-8, or a path with a NUL in it.
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        problems.append(
            Problem(key, f"“{folder / path}” cannot be read: {reason}", "the path of a readable file")
        )
        return None
    if not secret:
        problems.append(
            Problem(key, f"“{folder / path}” is empty", "the path of a file that holds the secret")
        )
        return None
    return secret
