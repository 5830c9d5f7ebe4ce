"""PostgreSQL: one cluster on loopback, a database for whoever asks."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from bridge.demo.peers.cache import InstallFailed, Say, apt_install, say
from bridge.demo.peers.ports import HOST, reserve_port
from bridge.demo.peers.process import Peer, PeerFailed

_USER = "passerelle"
_FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


def find() -> Path | None:
    """The folder of PostgreSQL's server programs, the newest if there are several."""
    for folder in sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parts[-2], reverse=True
    ):
        if (folder / "initdb").exists():
            return folder
    program = shutil.which("initdb")
    return None if program is None else Path(program).resolve().parent


def install(*, say: Say = say) -> Path:
    """Return the folder of the server programs, after installing the system's package when needed.

    Raises:
        InstallFailed: It is missing and we may not install it.
    """
    programs = find()
    if programs is None:
        apt_install("postgresql", say=say)
        programs = find()
    if programs is None:
        raise InstallFailed("PostgreSQL's initdb was not found. Install it: apt-get install postgresql.")
    return programs


class Postgres(Peer):
    """A PostgreSQL server with a cluster of its own, which goes away with it.

    The cluster lives in the system's temporary folder and not in ``folder``: the server refuses root and
    then runs as another user, who cannot enter our folders.
    """

    stop_signal = signal.SIGINT  # "fast": does not wait for clients to leave
    start_timeout = 30.0

    def __init__(
        self, folder: Path, *, programs: Path, port: int | None = None, durable: bool = False
    ) -> None:
        """Nothing is started yet.

        Args:
            folder: For the log.
            programs: What ``install`` returned.
            port: Where to listen; a free one if not given.
            durable: Whether commits reach the disk, as they must in measurements; tests need not wait.
        """
        super().__init__("postgres", folder)
        self.port = port or reserve_port()
        self._programs = programs
        self._durable = durable
        self._numbers = itertools.count(1)
        self._cluster: Path | None = None

    def user(self) -> str | None:
        """Root may not run PostgreSQL; the package's own user may."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam("postgres").pw_name
        except KeyError as error:
            raise PeerFailed("PostgreSQL refuses root and there is no user postgres; add one.") from error

    def command(self) -> list[str]:
        """See ``Peer``."""
        if self._cluster is None:
            self._cluster = self._make_cluster()
        return [
            *(str(self._programs / "postgres"), "-D", str(self._cluster / "data"), "-p", str(self.port)),
            *("-c", f"listen_addresses={HOST}", "-c", f"unix_socket_directories={self._cluster}"),
            *("-c", "max_connections=300", "-c", "log_min_messages=warning"),
            *(() if self._durable else _FAST),
        ]

    async def answers(self) -> bool:
        """See ``Peer``."""
        try:
            await self._execute("SELECT 1")
        except DBAPIError:  # it accepts connections already, but still says "starting up"
            return False
        return True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        self.remove()

    def remove(self) -> None:
        """Delete the cluster. The server has to be stopped."""
        if self._cluster is not None:
            shutil.rmtree(self._cluster, ignore_errors=True)
            self._cluster = None

    def sqlalchemy_url(self, database: str) -> str:
        """The address of a database for SQLAlchemy, as in the bridge's ``database.url``."""
        return f"postgresql+asyncpg://{_USER}@{HOST}:{self.port}/{database}"

    def synapse_database(self, database: str) -> dict[str, Any]:
        """Synapse's ``database`` section for one of our databases."""
        arguments = {
            "user": _USER,
            "dbname": database,
            "host": HOST,
            "port": self.port,
            "cp_min": 2,
            "cp_max": 5,
        }
        return {"name": "psycopg2", "args": arguments}

    async def create_database(self, *, template: str = "template0") -> str:
        """Make a database, a copy of ``template``, and return its name."""
        name = f"db{next(self._numbers)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    async def drop_database(self, name: str) -> None:
        """Delete a database, whoever is still connected to it."""
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        # Databases can neither be made nor deleted inside a transaction.
        engine = create_async_engine(
            self.sqlalchemy_url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        async with engine.connect() as connection:
            await connection.execute(text(statement))

    def _make_cluster(self) -> Path:
        cluster = Path(tempfile.mkdtemp(prefix="passerelle-postgres-"))
        user = self.user()
        if user is not None:
            shutil.chown(cluster, user, user)
        done = subprocess.run(
            [
                *(str(self._programs / "initdb"), "-D", str(cluster / "data"), "-U", _USER, "-A", "trust"),
                # Synapse insists on this locale.
                *("-E", "UTF8", "--locale=C", "--no-sync"),
            ],
            cwd=cluster,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(cluster, ignore_errors=True)
            raise PeerFailed(f"initdb failed:\n{done.stdout}{done.stderr}")
        return cluster
