"""From file, environment and profile to `Settings`, or to every problem at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.checks import check
from config.keys import variable_of
from config.paths import anchored
from config.placeholders import placeholders
from config.problems import ConfigProblems, Problem
from config.profiles import PROFILES
from config.section import model_of
from config.settings import Settings
from config.sources import Tree, read_environment, read_secrets, read_yaml
from config.wording import problem_of


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Args:
        path: The YAML file, or None when everything stands in the environment. Paths in the settings that are
            not absolute start at its folder.
        environ: Environment variables; they win over the file.

    Raises:
        ConfigProblems: with everything that is wrong.
    """
    problems: list[Problem] = []
    folder = path.parent if path is not None else Path()
    file = read_yaml(path, problems) if path is not None else {}
    if path is not None and problems:
        # A file that cannot be read says nothing of single settings.
        raise ConfigProblems(tuple(problems))
    variables = read_environment(environ, problems)
    given = overlaid(
        read_secrets(file, Settings, folder, problems), read_secrets(variables, Settings, folder, problems)
    )
    tree = anchored(_with_profile(given), folder)
    facts: dict[str, Any] = {}
    problems += _problems_of_fields(tree, facts)
    # A setting that already has a problem is not judged together with others.
    told = {problem.key.removesuffix("_file") for problem in problems}
    problems += check({key: value for key, value in facts.items() if key not in told})
    if problems:
        raise ConfigProblems(tuple(_tidy(problems, variables)))
    settings = Settings.model_validate(tree)
    settings._given = frozenset(_leaves(given))
    settings._placeholders = tuple(placeholders(given))
    return settings


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """Two trees in one; where both say something, the upper one wins."""
    result = dict(below)
    for key, value in above.items():
        beneath = result.get(key)
        both = isinstance(value, Mapping) and isinstance(beneath, Mapping)
        result[key] = overlaid(beneath, value) if both else value  # type: ignore[arg-type]
    return result


def _with_profile(given: Tree) -> Tree:
    profile = given.get("profile", "generic")
    chosen = PROFILES.get(profile, {}) if isinstance(profile, str) else {}
    # A profile completes an optional section, but leaving the section out still means something.
    wanted = {
        name: value
        for name, value in chosen.items()
        if name in given or Settings.model_fields[name].default is not None
    }
    return overlaid(wanted, given)


def _problems_of_fields(tree: Tree, facts: dict[str, Any]) -> Iterator[Problem]:
    """Validate each setting by itself; what is right becomes a fact."""
    try:
        Settings.model_validate(tree)
        errors = []
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=True)
    for found in errors:
        # A default that hangs on a wrong setting is no second problem.
        if found["type"] != "default_factory_not_called":
            yield problem_of(found)
    for name, field in Settings.model_fields.items():
        section = model_of(field)
        if section is None or (name not in tree and field.default is None):
            facts[name] = _value(field, tree.get(name, PydanticUndefined), {})
        elif isinstance(tree.get(name, {}), dict):
            facts.update(_facts_of(section, tree.get(name, {}), f"{name}."))


def _facts_of(model: type[BaseModel], tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        value = _value(field, tree.get(name, PydanticUndefined), values)
        if value is not PydanticUndefined:
            values[name] = value
    return {prefix + name: value for name, value in values.items()}


def _value(field: FieldInfo, value: Any, before: dict[str, Any]) -> Any:
    if value is PydanticUndefined:
        return field.get_default(call_default_factory=True, validated_data=before)
    try:
        return TypeAdapter(field.rebuild_annotation()).validate_python(value)
    except ValidationError:
        return PydanticUndefined


def _tidy(problems: list[Problem], variables: Tree) -> Iterator[Problem]:
    """One line for each setting, in the order of the sample, with the variable that it came from."""
    order = list(Settings.model_fields)
    from_environment = set(_leaves(variables))
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.key.removesuffix("_file"), problem)

    def place(problem: Problem) -> int:
        head = problem.key.split(".")[0]
        return order.index(head) if head in order else -1

    for problem in sorted(first.values(), key=place):
        if problem.source is None and problem.key in from_environment:
            yield Problem(problem.key, problem.wrong, problem.write, variable_of(problem.key))
        else:
            yield problem


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and not prefix:
            yield from _leaves(value, f"{key}.")
        yield f"{prefix}{key}"
