"""``python -m bridge.demo.peers``: install the servers of the demo and the tests, all at once."""

from __future__ import annotations

import argparse
import sys

from bridge.demo.peers.cache import InstallFailed
from bridge.demo.peers.installing import INSTALLERS, install_all


def main() -> int:
    """Install the servers named on the command line, or all. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bridge.demo.peers", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *INSTALLERS], metavar="server")
    try:
        paths = install_all(parser.parse_args().names or INSTALLERS)
    except InstallFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    for name, path in paths.items():
        print(f"{name}: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
