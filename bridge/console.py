"""What the command line prints: problems, notices, tables, and last words."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, NoReturn, Protocol

import click

from config import Notice, Problem


class Line(Protocol):
    """One line of a table; all lines of one have the same header."""

    HEADER: ClassVar[tuple[str, ...]]

    def row(self) -> tuple[str, ...]:
        """Its cells."""


def fail(message: str, advice: str = "", code: int = 1) -> NoReturn:
    """End with an exit code, and say on standard error what is wrong and what to do about it."""
    click.echo(message, err=True)
    if advice:
        click.echo(advice, err=True)
    sys.exit(code)


def print_problems(path: Path | None, problems: Sequence[Problem], *, err: bool) -> None:
    """Print everything that is wrong with a settings file, or with the environment."""
    number = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    click.echo(f"{path or 'the environment'}: {number}", err=err)
    for problem in problems:
        source = f" (from {problem.source})" if problem.source and problem.source != problem.key else ""
        click.echo(f"\n{problem.key}{source}", err=err)
        click.echo(_labelled("wrong:", problem.wrong), err=err)
        click.echo(_labelled("write:", problem.write), err=err)


def print_notices(notices: Iterable[Notice]) -> None:
    """Print what is allowed but worth a word."""
    for notice in notices:
        click.echo(f"{notice.key}\n{_labelled('note:', f'{notice.fact} {notice.advice}')}\n")


def _labelled(label: str, text: str) -> str:
    start = f"  {label} "
    return textwrap.fill(
        text,
        width=100,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def print_table(lines: Sequence[Line], nothing: str) -> None:
    """Print lines under their header, in columns as wide as they need; in words if there are none."""
    if not lines:
        click.echo(nothing)
        return
    rows = [lines[0].HEADER, *(line.row() for line in lines)]
    for text in _aligned(rows):
        click.echo(text)


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    # What people wrote stands in some cells: no line break of theirs may look like a row of ours.
    clean = [tuple(" ".join(cell.split()) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in clean]
