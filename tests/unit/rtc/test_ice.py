from __future__ import annotations

from livekit.protocol.rtc import ICEServer

from bridge.rtc.ice import named_by_admin
from bridge.sfu.model import IceServer

GOOGLE = ICEServer(urls=["stun:stun.l.google.com:19302", "stun:stun1.l.google.com:19302"])
RELAY = ICEServer(urls=["turn:192.0.2.1:3478?transport=udp"], username="u", credential="c")


def test_servers_of_the_settings_replace_whatever_the_sfu_offers() -> None:
    ours = IceServer(("turn:turn.example.org",), "name", "word")
    named = named_by_admin([GOOGLE, RELAY], [ours])
    assert named == [ICEServer(urls=["turn:turn.example.org"], username="name", credential="word")]


def test_without_settings_the_sfus_own_relays_stay_and_its_stun_servers_go() -> None:
    assert named_by_admin([GOOGLE, RELAY], []) == [RELAY]


def test_a_server_with_both_keeps_its_relay() -> None:
    both = ICEServer(urls=["stun:x.example", "turns:x.example:443?transport=tcp"], username="u")
    assert named_by_admin([both], []) == [ICEServer(urls=["turns:x.example:443?transport=tcp"], username="u")]


def test_credentials_stay_out_of_logs() -> None:
    assert "secret" not in repr(IceServer(("turn:x",), "name", "secret"))
