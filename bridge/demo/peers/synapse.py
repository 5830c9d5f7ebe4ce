"""Synapse, the homeserver, from PyPI in an environment of its own."""

from __future__ import annotations

import base64
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bridge.demo.peers.cache import InstallFailed, Say, installed, run, say
from bridge.demo.peers.ports import HOST, reserve_port
from bridge.demo.peers.process import Peer, http_answers

LOCK_FILE = Path(__file__).parents[3] / "requirements" / "peers.txt"
"""The exact packages, with hashes; made from ``peers.in`` by ``make lock``."""

_UNLIMITED = {"per_second": 10_000, "burst_count": 10_000}


def install(*, say: Say = say) -> Path:
    """Return the Python program that has Synapse, after installing it when needed.

    Raises:
        InstallFailed: pip or venv failed, or the lock file is not there.
    """
    if not LOCK_FILE.exists():
        raise InstallFailed(f"{LOCK_FILE} is missing; the demo runs from a checkout of the project.")
    lines = LOCK_FILE.read_text().splitlines()
    lock = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    version = re.search(r"^matrix-synapse==(\S+)", lock, re.MULTILINE)
    if version is None:
        raise InstallFailed(f"{LOCK_FILE} names no version of matrix-synapse; run make lock.")

    def build(folder: Path) -> None:
        run(
            [sys.executable, "-m", "venv", str(folder)],
            advice="Python's venv module is needed: apt-get install python3-venv.",
        )
        run(
            [
                *(
                    str(folder / "bin" / "python"),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ),
                *("--only-binary=:all:", "--require-hashes", "-r", str(LOCK_FILE)),
            ],
            advice="Synapse comes from PyPI; check the network and pip's settings, then try again.",
        )

    # An environment belongs to the Python that made it.
    lock = f"{sys.version_info.major}.{sys.version_info.minor}\n{lock}"
    return installed("synapse", version[1], lock, build, takes="1 minute", say=say) / "bin" / "python"


class Synapse(Peer):
    """A homeserver on loopback.

    Attributes:
        url: Where clients and application services reach it.
        server_name: The part after the colon of its users' ids.
        registration_secret: Opens ``/_synapse/admin/v1/register`` (shared-secret registration).
    """

    def __init__(
        self,
        folder: Path,
        *,
        python: Path,
        server_name: str = "localhost:8448",
        port: int | None = None,
        database: Mapping[str, Any] | None = None,
        registrations: Sequence[Path] = (),
        rate_limits: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            folder: Configuration, data and log go there; an existing one is taken up again.
            python: What ``install`` returned.
            server_name: See the attribute.
            port: Where to listen; a free one if not given.
            database: Synapse's ``database`` section (see ``Postgres.synapse_database``); SQLite if not given.
            registrations: Files of application services. Synapse reads them only when it starts.
            rate_limits: Whether Synapse's own default limits hold; otherwise there are none.
            settings: Added to ``homeserver.yaml``, over everything else.
        """
        super().__init__("synapse", folder)
        self.port = port or reserve_port()
        self.url = f"http://{HOST}:{self.port}"
        self.server_name = server_name
        self.registration_secret = secrets.token_urlsafe(24)
        self.registrations = list(registrations)
        self._secrets = {key: secrets.token_urlsafe(24) for key in ("macaroon_secret_key", "form_secret")}
        self._python = python
        self._database = database
        self._rate_limits = rate_limits
        self._settings = settings or {}

    def command(self) -> list[str]:
        """See ``Peer``."""
        config = self.folder / "homeserver.yaml"
        config.write_text(yaml.safe_dump(self._configuration(), sort_keys=False))
        config.chmod(0o600)
        (self.folder / "log.yaml").write_text(yaml.safe_dump(_LOGGING))
        signing_key = self.folder / "signing.key"
        if not signing_key.exists():
            # Synapse would make one in a run of its own, which takes longer than its whole start.
            seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
            signing_key.write_text(f"ed25519 a_key {seed}\n")
        return [str(self._python), "-m", "synapse.app.homeserver", "-c", str(config)]

    async def answers(self) -> bool:
        """See ``Peer``."""
        return await http_answers(f"{self.url}/health")

    def _configuration(self) -> dict[str, Any]:
        folder = self.folder
        sqlite = {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}}
        listener = {
            "port": self.port,
            "bind_addresses": [HOST],
            "type": "http",
            "tls": False,
            # "openid": other services verify users' OpenID tokens here.
            "resources": [{"names": ["client", "health", "openid"], "compress": False}],
        }
        return {
            "server_name": self.server_name,
            "public_baseurl": f"{self.url}/",
            "pid_file": str(folder / "homeserver.pid"),
            "listeners": [listener],
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "database": self._database or sqlite,
            "log_config": str(folder / "log.yaml"),
            "media_store_path": str(folder / "media"),
            "signing_key_path": str(folder / "signing.key"),
            "registration_shared_secret": self.registration_secret,
            **self._secrets,
            "report_stats": False,
            "enable_registration": False,
            # The default makes one registration take a third of a second, for passwords worth protecting.
            "bcrypt_rounds": 4,
            "app_service_config_files": [str(each) for each in self.registrations],
            "max_event_delay_duration": "24h",  # MSC4140, delayed events
            "experimental_features": _EXPERIMENTAL,
            **({} if self._rate_limits else _NO_RATE_LIMITS),
            **self._settings,
        }


_EXPERIMENTAL = {
    "msc2409_to_device_messages_enabled": True,  # to-device messages in transactions, MSC4203 by now
    "msc3202_transaction_extensions": True,  # device lists and key counts in transactions
    "msc4140_max_delayed_events_per_user": 1000,
    "msc4143_enabled": True,  # MatrixRTC transports
    "msc4222_enabled": True,  # state_after in /sync
    "msc4354_enabled": True,  # sticky events
}

_NO_RATE_LIMITS: dict[str, Any] = {
    "rc_message": _UNLIMITED,
    "rc_registration": _UNLIMITED,
    "rc_registration_token_validity": _UNLIMITED,
    "rc_login": {"address": _UNLIMITED, "account": _UNLIMITED, "failed_attempts": _UNLIMITED},
    "rc_admin_redaction": _UNLIMITED,
    "rc_joins": {"local": _UNLIMITED, "remote": _UNLIMITED},
    "rc_joins_per_room": _UNLIMITED,
    "rc_3pid_validation": _UNLIMITED,
    "rc_invites": {"per_room": _UNLIMITED, "per_user": _UNLIMITED, "per_issuer": _UNLIMITED},
    "rc_third_party_invite": _UNLIMITED,
    "rc_media_create": _UNLIMITED,
    "rc_presence": {"per_user": _UNLIMITED},
    "rc_delayed_event_mgmt": _UNLIMITED,
    "rc_room_creation": _UNLIMITED,
    "rc_reports": _UNLIMITED,
    "rc_user_directory": _UNLIMITED,
    "rc_profile": _UNLIMITED,
    "rc_key_requests": _UNLIMITED,
}

_LOGGING = {
    "version": 1,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"}},
    "filters": {"context": {"()": "synapse.logging.context.LoggingContextFilter", "request": ""}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["context"]}},
    "root": {"level": "WARNING", "handlers": ["console"]},
    "disable_existing_loggers": False,
}
