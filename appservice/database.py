"""One database, SQLite or PostgreSQL, behaving alike.

SQLite serves exactly one process: writes wait for each other on a single connection, and a lock on a
file beside the database refuses a second process. PostgreSQL serves any number of replicas.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy import event, exc, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool


class DatabaseInUse(Exception):
    """Another process has this SQLite file open: one SQLite file serves one process.

    Use PostgreSQL (``database.url: postgresql+asyncpg://…``) to run several replicas.
    """


class DatabaseIsReadOnly(Exception):
    """PostgreSQL answers, but takes nothing in: a standby, or a server that somebody has frozen.

    Attributes:
        advice: What the administrator can do.
    """

    advice = (
        "It can be read, but not written. Look whether database.url leads to a standby,"
        " and whether default_transaction_read_only is on."
    )

    def __init__(self) -> None:
        super().__init__(self.advice)


_READ_ONLY = "25006"
"""SQLSTATE ``read_only_sql_transaction``."""

_NO_TRANSACTION = "25P01"
"""SQLSTATE ``no_active_sql_transaction``."""

# SQLSTATEs, or their beginnings, that say nothing of the statement. The server is away or going away: 08
# connection, 53 resources, 57P operator intervention (shutdown, crash, starting up), 58 its disk; it is read
# only; or others were in the way: 40 serialization and deadlock, 55P03 a lock, 57014 a time-out.
_OUTAGE_STATES = ("08", "40", "53", "55P03", "57014", "57P", "58", _READ_ONLY)
# SQLite says OperationalError for a mistake in a statement too; only these mean the file or its disk.
_OUTAGE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)


def is_outage(error: BaseException) -> bool:
    """Whether an error says that the database is away, as opposed to a defect of ours."""
    if isinstance(error, exc.DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        code = int(getattr(error.orig, "sqlite_errorcode", None) or 0) & 0xFF
        return error.connection_invalidated or state.startswith(_OUTAGE_STATES) or code in _OUTAGE_CODES
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "").startswith(_OUTAGE_STATES)
    if isinstance(error, asyncpg.InterfaceError):
        # "The connection is closed"; those that are values too say that an argument is of the wrong type.
        return not isinstance(error, ValueError)
    # Connecting fails with the operating system's errors, unwrapped; asyncpg has an error of its own for a
    # connection that was cut where it did not expect it.
    away = (exc.TimeoutError, OSError, asyncpg.InternalClientError, DatabaseIsReadOnly)
    return isinstance(error, away)


_LAST_WORD_S = 2.0
"""How long the end of the process waits for one of SQLite's threads."""


@dataclass(slots=True)
class Database:
    """An engine and what is particular to its dialect."""

    engine: AsyncEngine
    is_postgres: bool
    _lock: int | None = None
    _reading: AsyncEngine | None = None
    _straight: AsyncConnection | None = None
    _driver: Any = None
    _straight_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _threads: weakref.WeakSet[threading.Thread] = field(default_factory=weakref.WeakSet)

    @classmethod
    def open(cls, url: str, *, pool_size: int = 10, exclusive: bool = True) -> Database:
        """Open a database by its SQLAlchemy URL.

        Args:
            url: ``sqlite+aiosqlite:///…`` or ``postgresql+asyncpg://…``.
            pool_size: Most connections to PostgreSQL.
            exclusive: Serve from this file; an administrator's command only looks in beside the server.

        Raises:
            DatabaseInUse: another process has the same SQLite file.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            engine = create_async_engine(
                url,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=15,
                pool_recycle=1800,
                # Parameters hold what people wrote; errors are logged.
                hide_parameters=True,
                connect_args={"timeout": 5, "command_timeout": 30},
            )
            _prepare_postgres(engine)
            reading = engine.execution_options(isolation_level="AUTOCOMMIT")
            return cls(engine, is_postgres=True, _reading=reading)
        lock = _lock_beside(parsed.database) if exclusive and parsed.database else None
        if parsed.database:
            _private_file(parsed.database, create=exclusive)
        # One connection: SQLite has one writer anyway, and waiting for it in the pool is orderly where
        # SQLITE_BUSY is not.
        threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

        def connecting(*given: Any, **more: Any) -> aiosqlite.Connection:
            connection = aiosqlite.connect(*given, **more)
            # From now on: whoever waits for it to open may be cancelled, and the file is opened all the same.
            threads.add(connection._thread)
            # As SQLAlchemy has it when it makes them itself.
            connection._thread.daemon = True
            return connection

        engine = create_async_engine(
            url,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=60,
            hide_parameters=True,
            connect_args={"async_creator_fn": connecting},
        )
        _prepare_sqlite(engine)
        return cls(engine, is_postgres=False, _lock=lock, _threads=threads)

    async def close(self) -> None:
        """Close every connection and let another process have the file."""
        await self._drop_straight()
        await self.engine.dispose()
        # A connection that was thrown away ends in its own thread, which then has a word for our event loop.
        for thread in list(self._threads):
            await asyncio.to_thread(thread.join, _LAST_WORD_S)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back on an exception."""
        async with self.engine.begin() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading, one statement at a time; nothing is committed."""
        # On PostgreSQL a transaction around one SELECT would be two more round trips. (SQLite's driver would
        # pay for the change of mode with two statements of its own.)
        async with (self._reading or self.engine).connect() as connection:
            yield connection

    async def execute_straight(self, statement: str, *arguments: object) -> str:
        """Execute and commit one statement on PostgreSQL past SQLAlchemy, whose way costs more than this one.

        It has a connection of its own, and one statement waits for the other.

        Returns:
            The server's command tag, such as ``INSERT 0 5``.

        Raises:
            Exception: the driver's; `is_outage` tells what it means.
        """
        async with self._straight_turn:
            try:
                if self._straight is None:
                    self._straight = await self.engine.connect()
                    self._driver = (await self._straight.get_raw_connection()).driver_connection
                return str(await self._driver.execute(statement, *arguments))
            except BaseException:
                await self._drop_straight()
                raise

    async def _drop_straight(self) -> None:
        connection, self._straight, self._driver = self._straight, None, None
        if connection is not None:
            # Whatever state it is in is nobody else's business.
            await connection.invalidate()
            await connection.close()

    async def tidy(self) -> None:
        """Make erased content unreadable: SQLite keeps old pages in its log until it is folded in."""
        if self.is_postgres:
            return
        # Not through SQLAlchemy's own execute: it would begin a transaction, in which SQLite refuses this.
        async with self.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            cursor = await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            await cursor.close()

    async def ping(self, timeout: float = 3.0) -> None:
        """See whether the database answers and can be written.

        Raises:
            DatabaseIsReadOnly: PostgreSQL answers, but takes nothing in.
            Exception: whatever the driver says; `is_outage` tells what it means.
        """
        # A full disk still answers questions. This number is nobody's; writing it writes a page.
        question = "SHOW transaction_read_only" if self.is_postgres else "PRAGMA user_version = 0"
        async with asyncio.timeout(timeout), self.engine.begin() as connection:
            answer = await connection.execute(text(question))
            if self.is_postgres and answer.scalar_one() == "on":
                # The next connection may lead to the server that has taken over.
                await connection.invalidate()
                raise DatabaseIsReadOnly


def _private_file(path: str, *, create: bool) -> None:
    """Make the file ours alone; SQLite gives its log files the same permissions."""
    if create:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    elif not Path(path).exists():
        raise FileNotFoundError(f"{path} does not exist: the bridge has not run here yet")


def _lock_beside(path: str | None) -> int:
    lock_path = Path(f"{path}.lock")
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise DatabaseInUse(f"{path} is in use by another process") from None
    return handle


def _prepare_postgres(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        # Such a connection would be kept in the pool, and fail, for as long as it lives: to what is a standby
        # since a failover, where a new one leads to the server that has taken over; and one whose BEGIN was
        # cancelled, of which asyncpg goes on to think that it is in a transaction.
        if getattr(context.original_exception, "sqlstate", None) in (_READ_ONLY, _NO_TRANSACTION):
            context.is_disconnect = True


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN handling is switched off so that ours below is the only one.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # NORMAL would lose acknowledged rows at power loss.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=10000")
        # Erased content must not stay readable in free pages (`DESIGN` §2.4).
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "invalidate")
    def on_invalidate(connection: Any, _record: Any, _error: Any) -> None:
        # A connection is thrown away when whoever used it was cancelled. SQLite ends its transaction only
        # once nobody holds a cursor of it any more, and a traceback may: until then all others would find
        # the database locked.
        with contextlib.suppress(asyncio.CancelledError):
            connection.rollback()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
