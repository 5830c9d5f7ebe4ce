"""The command line: ``passerelle``.

Exit codes: 0 well, 1 something failed, 2 the settings or the command are wrong.
"""

# ruff: noqa: PLC0415 - what only one command needs is imported there, so that the others start at once

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

import config
from appservice import registration
from bridge.console import fail, print_notices, print_problems, print_table

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_FILE = Path("passerelle.yaml")


@dataclass
class _Place:
    """Which settings file the command line named, if any."""

    file: Path | None = None

    def path(self) -> Path | None:
        """The file to read; None when there is none and the environment holds the settings."""
        if self.file is not None:
            return self.file
        in_environment = any(name.startswith("PASSERELLE_HOMESERVER") for name in os.environ)
        return None if in_environment and not DEFAULT_FILE.exists() else DEFAULT_FILE


def _remember_file(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    place = context.ensure_object(_Place)
    if value is not None:
        place.file = value


def _with_file(command: Command) -> Command:
    """Give a command the option ``-c``, which may stand before or after its name."""
    option = click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        is_eager=True,
        callback=_remember_file,
        help=f"Settings file (default: {DEFAULT_FILE}).",
    )
    return option(command)


def _settings(*, checking: bool = False) -> config.Settings:
    """The settings, or an end with every problem (which is the answer, if checking was the question)."""
    path = click.get_current_context().ensure_object(_Place).path()
    try:
        return config.load(path, os.environ)
    except config.ConfigProblems as found:
        print_problems(path, found.problems, err=not checking)
        sys.exit(2)


def _ask_database(question: Callable[[str], Coroutine[Any, Any, T]]) -> T:
    """Ask the database of the settings something; an end with one line when it does not answer."""
    from sqlalchemy.exc import SQLAlchemyError

    url = _settings().database.url.get_secret_value()
    try:
        return asyncio.run(question(url))
    except FileNotFoundError as error:
        fail(str(error), f"{_MADE_AT_FIRST} Or database.url leads elsewhere.")
    except (OSError, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        first_line = (str(cause).splitlines() or [type(cause).__name__])[0]
        if "no such table" in first_line or getattr(cause, "sqlstate", None) == _UNDEFINED_TABLE:
            fail("The database holds nothing of the bridge yet.", _MADE_AT_FIRST)
        fail(f"The database does not answer: {first_line}", "Check that it runs, and database.url.")


_MADE_AT_FIRST = "The bridge makes what it needs when it runs for the first time: passerelle run"
_UNDEFINED_TABLE = "42P01"
"""PostgreSQL's SQLSTATE."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@_with_file
@click.version_option(importlib.metadata.version("passerelle"), prog_name="passerelle")
def main() -> None:
    """Passerelle puts Visio meetings inside Matrix rooms."""


# Settings


@main.group("config", short_help="Write and check the settings file.")
def config_group() -> None:
    """Write and check the settings file."""


@config_group.command("sample", short_help="Print a settings file with comments.")
@click.option(
    "--profile", type=click.Choice(["generic", "tchap"]), default="generic", help="Whose defaults to show."
)
def config_sample(profile: str) -> None:
    """Print a complete settings file with comments."""
    click.echo(config.sample(profile), nl=False)


@config_group.command("check", short_help="Say what is wrong, and what to write.")
@_with_file
def config_check() -> None:
    """Say everything that is wrong with the settings, and what to write instead."""
    settings = _settings(checking=True)
    changes = config.changes_since(settings.defaults, settings.given)
    if changes:
        click.echo(f"Defaults that changed since edition {settings.defaults}:")
        for change in changes:
            click.echo(f"  {change.key}: {change.before} became {change.after}. {change.why}")
        newest = max(change.edition for change in changes)
        click.echo(f"To keep a former value, write it. Then write defaults: {newest}")
    path = settings.appservice.registration
    if settings.appservice.as_token is None:
        if path.exists():
            settings = _with_registered_tokens(settings)
        else:
            click.echo(f"Not registered yet: run “passerelle register -o {path}”.")
    notices = config.notices(settings)
    if settings.rtc.enabled:
        from bridge.assembly.advertised import with_what_is_advertised

        notices = with_what_is_advertised(settings, notices)
    print_notices((*settings.placeholders, *notices))
    click.echo("ok")


# Registration


def _wanted(settings: config.Settings) -> registration.Registration:
    return registration.generate(
        id=settings.appservice.id,
        url=settings.appservice.url,
        bot=settings.appservice.bot,
        ghost_prefix=settings.appservice.ghost_prefix,
        server_name=settings.homeserver.server_name,
    )


@main.command(short_help="Write what the homeserver must know.")
@_with_file
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it (default: appservice.registration).",
)
@click.option("--rotate", is_flag=True, help="Make new tokens; the homeserver needs the new file at once.")
def register(output: Path | None, rotate: bool) -> None:
    """Write the registration that the homeserver needs. Run again, it keeps the tokens."""
    settings = _settings()
    path = output or settings.appservice.registration
    try:
        existing = registration.read(path) if path.exists() else None
        new = registration.renewed(_wanted(settings), existing, rotate=rotate)
        if new != existing:
            registration.write(path, new)
    except registration.RegistrationError as error:
        fail(str(error), error.advice)
    if existing is None:
        click.echo(f"Wrote {path}.")
    elif new == existing:
        click.echo(f"{path} is as it should be; nothing to write.")
        return
    else:
        click.echo(f"Wrote {path} again, {'with new tokens' if rotate else 'with the same tokens'}.")
    click.echo(
        "The homeserver must be able to read it (Synapse: app_service_config_files), and be restarted."
    )
    if settings.appservice.as_token is not None:
        click.echo("The settings give tokens of their own: they must be those of this file, or be taken out.")
    elif path.resolve() != settings.appservice.registration.resolve():
        click.echo(f"For the bridge to find it, write appservice.registration: {path.resolve()}")


def _with_registered_tokens(settings: config.Settings) -> config.Settings:
    """The settings with the registration's tokens, or an end that says what is wrong with it."""
    if settings.appservice.as_token is not None:
        return settings
    path = settings.appservice.registration
    try:
        existing = registration.read(path)
    except registration.RegistrationError as error:
        fail(str(error), error.advice, code=2)
    if names := registration.differences(_wanted(settings), existing):
        fail(
            f"{path} and the settings differ in: {', '.join(names)}",
            f"Run “passerelle register -o {path}”, and restart the homeserver.",
            code=2,
        )
    return settings.with_tokens(existing.as_token, existing.hs_token)


# Running


@main.command(short_help="Run the bridge until SIGTERM or Ctrl-C.")
@_with_file
def run() -> None:
    """Run the bridge until SIGTERM or Ctrl-C."""
    settings = _with_registered_tokens(_settings())
    from bridge import app

    sys.exit(app.run(settings))


@main.command(short_help="Try it: everything on this machine.")
@click.option("--headless", is_flag=True, help="Play the whole story without a browser, then stop.")
@click.option(
    "--visio",
    metavar="URL",
    default="stand-in",
    help="A real Visio to open the meeting in, its credentials in the environment as for “run”. Left out: a "
    "stand-in for Visio on this machine. “none”: a room of the bridge's own.",
)
def demo(headless: bool, visio: str) -> None:
    """Start a homeserver, an SFU, Visio and the bridge on this machine, and open a call."""
    from bridge.demo import story

    sys.exit(story.main(headless=headless, visio=visio))


# For the admin, through the database


@main.group(short_help="Look at calls, and end one.")
def calls() -> None:
    """Look at calls, and end one."""


@calls.command("list", short_help="List the calls that are not over.")
@_with_file
def calls_list() -> None:
    """List the calls that are not over, times in UTC.

    A question mark after PEOPLE means that the SFU cannot tell at the moment. A meeting that is followed
    belongs to whoever posted its link.
    """
    from bridge import admin

    print_table(_ask_database(admin.list_calls), "No call is open.")


@calls.command("end", short_help="End a call for everybody in it.")
@click.argument("call_id", metavar="ID")
@_with_file
def calls_end(call_id: str) -> None:
    """End a call for everybody in it. A meeting that is only followed goes on without a card."""
    from bridge import admin

    call = _ask_database(lambda url: admin.end_call(url, call_id))
    if call is None:
        fail(f"No open call has the id {call_id}.", "See: passerelle calls list")
    if call.adopted:
        click.echo(
            f"{call_id} is no longer followed in its room; the meeting itself is not ours and goes on."
        )
    else:
        click.echo(
            f"{call_id} is being ended: the bridge closes the meeting and its card, at once if it is running."
        )


@main.group(short_help="Look at events that failed.")
def quarantine() -> None:
    """Look at events that could not be handled."""


@quarantine.command("list", short_help="List what was set aside, and why.")
@_with_file
def quarantine_list() -> None:
    """List what was set aside, and why, times in UTC.

    Ids with e are events whose handling failed: retry or drop them. Ids with u could not be read: nothing
    was kept of them, so they can only be dropped.
    """
    from bridge import admin

    print_table(_ask_database(admin.list_quarantine), "Nothing is in quarantine.")


@quarantine.command("retry", short_help="Handle an event once more.")
@click.argument("entry", metavar="ID")
@_with_file
def quarantine_retry(entry: str) -> None:
    """Have an event that failed handled once more."""
    from bridge import admin

    if not _ask_database(lambda url: admin.retry_quarantine(url, entry)):
        fail(
            f"Nothing in quarantine that can be handled has the id {entry}.",
            "What could not be read (ids with u) was not kept. See: passerelle quarantine list",
        )
    click.echo(f"{entry} will be handled again, at once if the bridge is running.")


@quarantine.command("drop", short_help="Forget what was set aside.")
@click.argument("entry", metavar="ID")
@_with_file
def quarantine_drop(entry: str) -> None:
    """Forget what was set aside."""
    from bridge import admin

    if not _ask_database(lambda url: admin.drop_quarantine(url, entry)):
        fail(f"Nothing in quarantine has the id {entry}.", "See: passerelle quarantine list")
    click.echo(f"{entry} is dropped.")


if __name__ == "__main__":
    main()
