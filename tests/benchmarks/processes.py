"""Programs of the measurements that run as processes of their own, as what they stand for does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.demo.peers.ports import HOST, reserve_port
from bridge.demo.peers.process import Peer, http_answers

ROOT = Path(__file__).parents[2]


class Program(Peer):
    """``python -m tests.benchmarks.<module> --port … <arguments>``: a small HTTP server.

    It answers ``GET /health`` once it works.
    """

    start_timeout = 30.0

    def __init__(
        self, module: str, folder: Path, *arguments: str, name: str = "", port: int | None = None
    ) -> None:
        super().__init__(name or module, folder)
        self._module = module
        self._arguments: Sequence[str] = arguments
        self.port = port or reserve_port()
        self.url = f"http://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """See ``Peer``."""
        return [sys.executable, "-m", f"tests.benchmarks.{self._module}", str(self.port), *self._arguments]

    def environment(self) -> Mapping[str, str]:
        """See ``Peer``: the process runs in a folder of its own and has to find the checkout."""
        return {"PYTHONPATH": str(ROOT)}

    async def answers(self) -> bool:
        """See ``Peer``."""
        return await http_answers(f"{self.url}/health")
