"""The join page has to be built before the demo; ``make`` does it, and so does this where make did not."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bridge.demo.peers.cache import InstallFailed, Say, run, say
from bridge.web.static_page import BUILT

_SOURCE = Path(__file__).parents[1] / "web" / "page"


def build(*, say: Say = say) -> None:
    """Build the join page if it has not been built, or installed with the package.

    Raises:
        InstallFailed: npm is missing or failed.
    """
    if (BUILT / "index.html").exists():
        return
    if shutil.which("npm") is None or not _SOURCE.exists():
        raise InstallFailed("The join page is not built, which needs npm: apt-get install nodejs npm.")
    say("Building the join page, usually half a minute ...")
    started = time.monotonic()
    npm = ["npm", "--prefix", str(_SOURCE)]
    run([*npm, "ci"], advice="npm could not install the page's packages; check the network and try again.")
    run([*npm, "run", "build"], advice="Run make page to see the whole output.")
    say(f"Built the join page in {time.monotonic() - started:.0f} s")
