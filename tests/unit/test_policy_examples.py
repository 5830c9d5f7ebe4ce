"""The examples of ``docs/policy.md`` are settings that load, and mean what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import config
from bridge.policy import Policy, Right

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
SHARED, OWN = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

NEEDED = {
    "homeserver": {"url": "http://127.0.0.1:8008", "server_name": "agency.test"},
    "web": {"public_url": "https://visio.agency.test"},
    "sfu": {"url": "wss://sfu.agency.test", "key": "k", "secret": "s" * 32},
}


def policy(text: str, own_server: str, tmp_path: Path) -> Policy:
    path = tmp_path / "passerelle.yaml"
    path.write_text(yaml.safe_dump(NEEDED | yaml.safe_load(text)), encoding="utf-8")
    return Policy(config.load(path, {}).policy, own_server)


@pytest.mark.parametrize(
    ("user_id", "right"),
    [
        ("@a-education.gouv.fr:agent.education.tchap.gouv.fr", Right.START),
        ("@a-beta.gouv.fr:agent.tchap.gouv.fr", Right.START),
        ("@a-example.com:agent.externe.tchap.gouv.fr", Right.PUBLISH),
        ("@camille.martin-dinum.gouv.fr:agent.dinum.tchap.gouv.fr", Right.ADMIN),
        ("@a:example.com", Right.NONE),
    ],
)
def test_a_bridge_for_several_ministries_serves_them_all(tmp_path: Path, user_id: str, right: Right) -> None:
    assert policy(SHARED, "agent.dinum.tchap.gouv.fr", tmp_path).right_of(user_id) is right


@pytest.mark.parametrize(
    ("user_id", "right"),
    [
        ("@a-interieur.gouv.fr:agent.interieur.tchap.gouv.fr", Right.START),
        ("@jean.dupont-interieur.gouv.fr:agent.interieur.tchap.gouv.fr", Right.PUBLISH),
        ("@assistance-interieur.gouv.fr:agent.interieur.tchap.gouv.fr", Right.MODERATE),
        ("@assistance-interieur.gouv.fr:agent.externe.tchap.gouv.fr", Right.SUBSCRIBE),
        ("@a-education.gouv.fr:agent.education.tchap.gouv.fr", Right.PUBLISH),
        ("@a-example.com:agent.externe.tchap.gouv.fr", Right.SUBSCRIBE),
    ],
)
def test_a_ministry_s_own_bridge_serves_its_people(tmp_path: Path, user_id: str, right: Right) -> None:
    assert policy(OWN, "agent.interieur.tchap.gouv.fr", tmp_path).right_of(user_id) is right
