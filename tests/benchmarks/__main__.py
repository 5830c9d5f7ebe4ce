"""``python -m tests.benchmarks [row …]``: measure the bridge against its peers, and print the ratios.

Every peer is measured in the same run as the bridge, in turn with it. Ratios are what counts: absolute
figures belong to the machine and to what else it does.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import click

from tests.benchmarks import cards, intake, joins, memory, restart
from tests.benchmarks.report import Row, progress, show
from tests.benchmarks.world import World

ROWS: dict[str, Callable[[World], Awaitable[list[Row]]]] = {
    "intake": intake.measure,
    "cards": cards.measure,
    "joins": joins.measure,
    "restart": restart.measure,
    "memory": memory.measure,
}


def main() -> None:
    """Measure what the command line names, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], metavar="row", help=", ".join(ROWS))
    names = parser.parse_args().rows or list(ROWS)
    with tempfile.TemporaryDirectory(prefix="passerelle-bench-") as folder:
        rows = asyncio.run(_measure(names, Path(folder)))
    missed = [row for row in rows if not row.met]
    click.echo(f"\n{len(missed)} of {sum(row.target is not None for row in rows)} targets missed.")


async def _measure(names: Sequence[str], folder: Path) -> list[Row]:
    rows: list[Row] = []
    async with World(folder) as world:
        for name in names:
            started = time.monotonic()
            found = await ROWS[name](world)
            progress(f"{name}: {time.monotonic() - started:.0f} s")
            rows += found
            show(found)
            click.echo()
    click.echo("Everything:\n")
    show(rows)
    return rows


if __name__ == "__main__":
    main()
