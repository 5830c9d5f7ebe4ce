from __future__ import annotations

import pytest

from appservice.database import DatabaseIsReadOnly
from appservice.errors import HomeserverUnreachable, MatrixError
from bridge.calls.ports import ProviderFailure, SfuUnreachable
from bridge.health import Refuses
from bridge.peer_checks import database_check, homeserver_check, sfu_check, transports_check, visio_check
from bridge.rtc.transports import Advertised
from bridge.sfu.twirp import SfuRefused

BOT = "@visio:example.org"


async def asked_homeserver(answer: str | Exception) -> None:
    async def whoami() -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer

    await homeserver_check(whoami, BOT)()


async def asked_sfu(answer: Exception | None) -> None:
    async def ask() -> None:
        if answer is not None:
            raise answer

    await sfu_check(ask)()


async def test_a_database_that_can_only_be_read_refuses_us() -> None:
    async def ping() -> None:
        raise DatabaseIsReadOnly

    with pytest.raises(Refuses) as refused:
        await database_check(ping)()
    assert "database.url" in refused.value.advice


async def test_peers_that_answer_are_fine() -> None:
    await asked_homeserver(BOT)
    await asked_sfu(None)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (MatrixError(401, "M_UNKNOWN_TOKEN", "Invalid access token"), "app_service_config_files"),
        (MatrixError(403, "M_FORBIDDEN", "Application service has not registered this user"), "register"),
        (MatrixError(404, "", "not found"), "homeserver.url"),
        (MatrixError(401, "", "somebody else's door"), "homeserver.url"),
        (MatrixError(400, "M_UNRECOGNIZED", "Unrecognized request"), "homeserver.url"),
        ("@other:example.org", "not for @visio:example.org"),
        ("", "nobody"),
    ],
)
async def test_a_homeserver_that_refuses_comes_with_what_to_do(answer: str | Exception, word: str) -> None:
    with pytest.raises(Refuses) as found:
        await asked_homeserver(answer)
    assert word in found.value.advice


@pytest.mark.parametrize(
    "answer", [HomeserverUnreachable("refused"), MatrixError(502, "", ""), MatrixError(429, "M_LIMIT", "")]
)
async def test_a_homeserver_that_may_answer_later_is_away(answer: Exception) -> None:
    with pytest.raises(type(answer)):
        await asked_homeserver(answer)


async def test_an_sfu_with_other_keys_refuses_and_one_that_is_down_is_away() -> None:
    with pytest.raises(Refuses, match=r"check sfu\.key"):
        await asked_sfu(SfuRefused("http://sfu answered 401; check sfu.key and sfu.secret"))
    with pytest.raises(SfuUnreachable):
        await asked_sfu(SfuUnreachable("connection refused"))


class Visio:
    """A Visio that answers what it is told to, at a time that the test holds."""

    def __init__(self) -> None:
        self.answer: ProviderFailure | None = None
        self.asked = 0
        self.now = 0
        self.check = visio_check(self._ask, lambda: self.now)

    async def _ask(self) -> None:
        self.asked += 1
        if self.answer is not None:
            raise self.answer


async def test_visio_is_not_asked_for_each_look() -> None:
    visio = Visio()
    for _ in range(60):
        await visio.check()
        visio.now += 1_000
    assert visio.asked == 1
    await visio.check()
    assert visio.asked == 2


async def test_a_visio_that_refuses_comes_with_what_to_do_and_is_asked_again_soon() -> None:
    visio = Visio()
    visio.answer = ProviderFailure("visio_credentials", "compare visio.client_id", retry=False)
    for _ in range(5):
        with pytest.raises(Refuses, match=r"compare visio\.client_id"):
            await visio.check()
        visio.now += 1_000
    assert visio.asked == 1
    visio.answer = None
    await visio.check()
    assert visio.asked == 2


async def test_a_visio_that_is_down_is_away() -> None:
    visio = Visio()
    visio.answer = ProviderFailure("visio_unreachable", "start it", retry=True)
    for _ in range(2):
        with pytest.raises(ProviderFailure):
            await visio.check()


async def asked_for_transports(answer: Advertised | Exception) -> None:
    async def ask() -> Advertised:
        if isinstance(answer, Exception):
            raise answer
        return answer

    await transports_check(ask, "https://visio.example/livekit")()


async def test_a_homeserver_that_sends_native_calls_elsewhere_comes_with_what_to_write() -> None:
    await asked_for_transports(Advertised(("https://visio.example/livekit",)))
    with pytest.raises(Refuses, match=r"matrix_rtc\.transports"):
        await asked_for_transports(Advertised(("https://elsewhere.example",)))
    with pytest.raises(Refuses, match="app_service_config_files"):
        await asked_for_transports(MatrixError(401, "M_UNKNOWN_TOKEN", ""))
    with pytest.raises(MatrixError):
        await asked_for_transports(MatrixError(502, "", ""))
