from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import config
from config.profiles import PROFILES
from config.section import model_of
from config.settings import Settings

EVERY_PROFILE = pytest.mark.parametrize("profile", sorted(PROFILES))


def loaded(tmp_path: Path, text: str) -> config.Settings:
    path = tmp_path / "passerelle.yaml"
    path.write_text(text, encoding="utf-8")
    return config.load(path, {})


@EVERY_PROFILE
def test_the_sample_loads_as_it_is(tmp_path: Path, profile: str) -> None:
    assert loaded(tmp_path, config.sample(profile)).profile == profile


@EVERY_PROFILE
def test_the_sample_loads_with_every_setting_put_in_force(tmp_path: Path, profile: str) -> None:
    text = re.sub(r"^( *)#(?=\w|  \w)", r"\1", config.sample(profile), flags=re.MULTILINE)
    for name in ("ca.pem", "federation-ca.pem"):
        (tmp_path / name).touch()
    settings = loaded(tmp_path, text)
    tree = yaml.safe_load(text)
    for name, field in Settings.model_fields.items():
        assert name in tree
        section = model_of(field)
        if section is not None:
            assert set(tree[name]) == set(section.model_fields), name
    assert settings.visio is not None


@EVERY_PROFILE
def test_putting_the_shown_defaults_in_force_changes_nothing(tmp_path: Path, profile: str) -> None:
    sample = config.sample(profile)
    plain = loaded(tmp_path, sample)
    for name in ("calls", "commands", "limits", "logging", "rtc"):
        assert getattr(loaded(tmp_path, _uncommented(sample, name)), name) == getattr(plain, name)


def _uncommented(sample: str, section: str) -> str:
    lines, inside = [], False
    for line in sample.splitlines():
        if line and not line.startswith((" ", "#")):
            inside = line == f"{section}:"
        lines.append(re.sub(r"^  #(?! )", "  ", line) if inside else line)
    return "\n".join(lines)


def test_every_setting_has_a_description_for_the_admin() -> None:
    for name, field in Settings.model_fields.items():
        section = model_of(field)
        if section is None:
            assert field.description, name
            continue
        assert section.__doc__, name
        for key, inner in section.model_fields.items():
            assert inner.description, f"{name}.{key}"
            assert inner.description.endswith("."), f"{name}.{key}"


def test_the_sample_of_a_profile_shows_its_defaults() -> None:
    assert "#ghosts: none" in config.sample("tchap")
    assert "#large_room: 200" in config.sample("tchap")
    assert "access_level: trusted" in config.sample("tchap")
    assert "#ghosts: authenticated" in config.sample("generic")


def test_the_sample_holds_no_line_that_is_hard_to_read() -> None:
    for profile in PROFILES:
        assert max(map(len, config.sample(profile).splitlines())) <= 100


def test_a_profile_says_what_it_means_at_the_head_of_its_sample_and_shows_a_policy_that_fits() -> None:
    sample = config.sample("tchap")
    assert "For a ministry's homeserver in Tchap" in " ".join(sample.replace("\n# ", " ").split())
    assert "#policy: {'*.tchap.gouv.fr': start, agent.externe.tchap.gouv.fr: publish}" in sample
    assert "emails: {agent.dinum.tchap.gouv.fr: ['*-dinum.gouv.fr', '*-numerique.gouv.fr']}" in sample
    assert "tchap.gouv.fr" not in config.sample("generic")


def test_there_is_no_sample_of_an_unknown_profile() -> None:
    with pytest.raises(KeyError):
        config.sample("nowhere")
