"""What the README and ``docs/`` name exists: files, make targets, commands, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bridge import cli
from config.keys import all_keys
from config.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OF_OTHERS = {"rtc.stun_servers", "homeserver.yaml"}
"""What LiveKit and Synapse call theirs, and looks like ours."""

EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code(page: Path) -> Iterator[str]:
    """Everything in backticks or code blocks, line by line."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    yield from (line for block in blocks for line in block.splitlines())
    yield from (" ".join(word.split()) for word in re.findall(r"(?<!`)`([^`]+)`(?!`)", text))


@EVERY_PAGE
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@EVERY_PAGE
def test_every_file_that_is_named_exists(page: Path) -> None:
    tops = "bridge|appservice|config|tests|docs|docker|requirements"
    for text in code(page):
        for path in re.findall(rf"(?<![\w./-])((?:{tops})/[\w./{{}},-]*)", text):
            options = re.search(r"{([^}]+)}", path)
            paths = [path.replace(options[0], one) for one in options[1].split(",")] if options else [path]
            for each in paths:
                assert (ROOT / each.rstrip(".,")).exists(), each


@EVERY_PAGE
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {match[1] for text in code(page) if (match := re.match(r"(?:sudo )?make ([a-z-]+)", text))}
    assert named <= targets


@EVERY_PAGE
def test_every_command_that_is_named_exists(page: Path) -> None:
    for text in code(page):
        for words in re.findall(r"(?:^|[/; ])passerelle((?: +[\w.<>|-]+)*)", text):
            command: click.Command = cli.main
            for word in [each for each in words.split() if re.fullmatch(r"[a-z]+", each)]:
                if not isinstance(command, click.Group):
                    break
                assert word in command.commands, f"passerelle{words}"
                command = command.commands[word]


@EVERY_PAGE
def test_every_setting_that_is_named_exists(page: Path) -> None:
    sections = "|".join(Settings.model_fields)
    keys = set(all_keys())
    for text in code(page):
        for key in re.findall(rf"(?<![\w./-])((?:{sections})\.[a-z_]+)\b(?![/(])", text):
            assert key in keys | OF_OTHERS, key
