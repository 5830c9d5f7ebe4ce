"""What a measurement says: our figure, its peer's, the ratio, the target, and whether it is met."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import click

MIB = 1024 * 1024

_HOLDS: dict[str, Callable[[float, float], bool]] = {"≥": operator.ge, "≤": operator.le}


@dataclass(frozen=True, slots=True)
class Target:
    """What the design asks for.

    Attributes:
        sign: Which way is good.
        value: In ``unit``.
        unit: ``×`` for a ratio, else a unit of measure.
    """

    sign: Literal["≥", "≤"]
    value: float
    unit: str = "×"

    def holds(self, measured: float) -> bool:
        """Whether a figure meets it."""
        return _HOLDS[self.sign](measured, self.value)

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report.

    Attributes:
        what: What was measured.
        measured: The figure that the target is about: a ratio, seconds, MiB.
        ours: Our absolute figure, in words; information only.
        peer: The peer's, in words; empty where there is none.
        target: None for a line that is there as information.
        unit: Of ``measured``; ``×`` for a ratio.
    """

    what: str
    measured: float
    ours: str
    peer: str = ""
    target: Target | None = None
    unit: str = "×"

    @property
    def met(self) -> bool:
        """Whether the target is met; a line without one always is."""
        return self.target is None or self.target.holds(self.measured)

    def cells(self) -> tuple[str, ...]:
        """The line's texts, in the order of the table's heads."""
        verdict = "" if self.target is None else "met" if self.met else "MISSED"
        return (
            self.what,
            f"{self.measured:,.{0 if self.measured >= 100 else 2}f} {self.unit}",
            str(self.target or "information"),
            verdict,
            self.ours,
            self.peer,
        )


HEADS = ("what", "measured", "target", "", "ours", "peer")


def show(rows: Iterable[Row]) -> None:
    """Print the table."""
    lines = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def progress(text: str) -> None:
    """Say what is going on, at once, apart from the results."""
    click.echo(f"... {text}", err=True)


def milliseconds(seconds: Sequence[float]) -> str:
    """Median and quartiles of durations, for the columns of absolute figures."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{middle * 1000:.0f} ms ({low * 1000:.0f} to {high * 1000:.0f}, n={len(seconds)})"


def per_second(rates: Sequence[float]) -> str:
    """Median and range of rates, for the columns of absolute figures."""
    return f"{statistics.median(rates):,.0f}/s ({min(rates):,.0f} to {max(rates):,.0f})"


def ratio(ours: Sequence[float], peers: Sequence[float]) -> float:
    """Median of the ratios within pairs: what slows the machine down for a minute slows both of a pair."""
    return statistics.median(one / other for one, other in zip(ours, peers, strict=True))
