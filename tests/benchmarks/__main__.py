"""``python -m tests.benchmarks [row …]``: measure the bridge against its peers, and print the ratios.

Every peer is measured in the same run as the bridge, in turn with it. Ratios are what counts: absolute
figures belong to the machine and to what else it does.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import click

from tests.benchmarks import (
    cards,
    gateway,
    intake,
    joins,
    media,
    memory,
    restart,
    tokens,
    visio_cards,
    webhooks,
)
from tests.benchmarks.report import Row, progress, show
from tests.benchmarks.world import World

ROWS: dict[str, Callable[[World], Awaitable[list[Row]]]] = {
    "intake": intake.measure,
    "cards": cards.measure,
    "joins": joins.measure,
    "restart": restart.measure,
    "memory": memory.measure,
    "visio": visio_cards.measure,
    "webhooks": webhooks.measure,
    "tokens": tokens.measure,
    "gateway": gateway.measure,
    "media": media.measure,
}


def main() -> int:
    """Measure what the command line names, or everything. Returns the exit code: 1 if a row came to no end.

    A missed target is a result like another; whoever reads it judges.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], metavar="row", help=", ".join(ROWS))
    names = parser.parse_args().rows or list(ROWS)
    with tempfile.TemporaryDirectory(prefix="passerelle-bench-") as folder:
        rows, failed = asyncio.run(_measure(names, Path(folder)))
    click.echo("\nEverything:\n")
    show(rows)
    missed = sum(not row.met for row in rows)
    click.echo(f"\n{missed} of {sum(row.target is not None for row in rows)} targets missed.")
    if failed:
        click.echo(f"No result: {', '.join(failed)}.")
    return 1 if failed else 0


async def _measure(names: Sequence[str], folder: Path) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    failed: list[str] = []
    async with World(folder) as world:
        for name in names:
            started = time.monotonic()
            try:
                found = await ROWS[name](world)
            except Exception:
                # The other rows are worth having all the same.
                traceback.print_exc()
                failed.append(name)
                continue
            progress(f"{name}: {time.monotonic() - started:.0f} s")
            rows += found
            show(found)
    return rows, failed


if __name__ == "__main__":
    sys.exit(main())
