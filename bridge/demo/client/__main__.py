"""``python -m bridge.demo.client``: build the client and say where it is."""

from __future__ import annotations

import sys

from bridge.demo.client.building import install
from bridge.demo.peers.cache import InstallFailed

if __name__ == "__main__":
    try:
        print(install())
    except InstallFailed as failure:
        sys.exit(str(failure))
