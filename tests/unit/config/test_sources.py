from __future__ import annotations

from pathlib import Path

import pytest

import config


def problem(path: Path, content: bytes) -> config.Problem:
    path.write_bytes(content)
    with pytest.raises(config.ConfigProblems) as found:
        config.load(path, {})
    (only,) = found.value.problems
    return only


@pytest.mark.parametrize(
    ("content", "where", "wrong"),
    [
        (b"homeserver:\n\turl: x\n", "line 2, column 1", "tab"),
        (b"bot:\n  language: fr\n  language: en\n", "line 3, column 3", "“language” stands twice"),
        (b"commands:\n  prefix: !visio\n", "line 2, column 11", "begins with !"),
        (b"commands: {prefix: !visio}\n", "line 1, column 26", "begins with !"),
        (b"policy:\n  *.gouv.fr: start\n", "line 2, column 4", "begins with *"),
        (b"policy:\n  @marie:x: start\n", "line 2, column 3", "cannot begin with this character"),
        (b"a: b: c\n", "line 1, column 5", "a colon where none is expected"),
        (b'bot: {display_name: "x}\n', "line 2, column 1", "this is not YAML"),
        (b"? [a]\n: b\n", "line 1, column 3", "this is not YAML"),
    ],
)
def test_a_slip_in_the_yaml_is_told_with_its_place(
    tmp_path: Path, content: bytes, where: str, wrong: str
) -> None:
    found = problem(tmp_path / "p.yaml", content)
    assert found.key == where
    assert wrong in found.wrong


@pytest.mark.parametrize(
    "content",
    [
        *(b"\xff\xfe\x00", b"- a\n", b"just text\n", b"a: \x01\n"),
        *(b"a: " + b"9" * 5000, b"a: " + b"[" * 5000 + b"]" * 5000),
    ],
)
def test_a_file_that_is_no_settings_file_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.yaml"
    assert problem(path, content).key == str(path)


def test_a_missing_file_comes_with_the_command_that_makes_one(tmp_path: Path) -> None:
    path = tmp_path / "gone.yaml"
    with pytest.raises(config.ConfigProblems) as found:
        config.load(path, {})
    assert found.value.problems[0].write.startswith(f"passerelle config sample > {path}")


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigProblems) as found:
        config.load(tmp_path, {})
    assert found.value.problems[0].wrong.startswith("cannot be read")


def test_an_empty_file_is_a_file_without_settings(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(config.ConfigProblems) as found:
        config.load(path, {})
    assert found.value.problems[0].key == "homeserver"
