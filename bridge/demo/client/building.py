"""Build the client, with Element Call beside it, into the cache of installed servers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bridge.demo.peers.cache import InstallFailed, Say, installed, run, say

_SOURCE = Path(__file__).parent
_PACKAGES = ("package.json", "package-lock.json", ".npmrc")
_NPM_ADVICE = "Node 20.19 or newer with npm is needed, and access to the npm registry."


def install(*, say: Say = say) -> Path:
    """Return the folder to serve, after building it when needed: the page, and ``element-call`` in it.

    Raises:
        InstallFailed: npm is missing or failed, or the sources are not there.
    """
    if not (_SOURCE / "package.json").exists():
        raise InstallFailed("The client's sources are missing; the demo runs from a checkout of the project.")
    version = json.loads((_SOURCE / "package.json").read_text())["version"]
    packages = _install_packages(version, say)

    def build(folder: Path) -> None:
        work = folder / "work"
        for path in sources:
            target = work / path.relative_to(_SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        (work / "node_modules").symlink_to(packages / "node_modules")
        run(["npm", "--prefix", str(work), "run", "build"], advice="The client did not build; see above.")
        (work / "dist").rename(folder / "page")
        shutil.rmtree(work)
        element_call = packages / "node_modules" / "@element-hq" / "element-call-embedded" / "dist"
        leave_out = shutil.ignore_patterns("*.map")
        shutil.copytree(element_call, folder / "page" / "element-call", ignore=leave_out)

    sources = _sources()
    recipe = "\n".join([str(packages), *(f"{path.name}\n{path.read_text()}" for path in sources)])
    return installed("client", version, recipe, build, takes="10 seconds", say=say) / "page"


def _install_packages(version: str, say: Say) -> Path:
    def build(folder: Path) -> None:
        for name in _PACKAGES:
            shutil.copy(_SOURCE / name, folder)
        run(["npm", "--prefix", str(folder), "ci", "--loglevel=error"], advice=_NPM_ADVICE)

    lock = "\n".join((_SOURCE / name).read_text() for name in _PACKAGES)
    return installed("client-packages", version, lock, build, takes="half a minute", say=say)


def _sources() -> list[Path]:
    kinds = ("*.html", "*.json", "*.js", "src/*")
    return sorted(path for kind in kinds for path in _SOURCE.glob(kind) if path.is_file())
