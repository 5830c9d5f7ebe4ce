from __future__ import annotations

import pytest

from tests.unit.appservice.federation.servers import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the certificates of these tests' servers."""
    return Authority(tmp_path_factory.mktemp("authority"))
