"""The wheel, built from nothing but what the container's image is built from, and used by itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def taken_into_the_image() -> list[str]:
    """What ``Dockerfile.dockerignore`` lets through."""
    lines = (ROOT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for name in taken_into_the_image():
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(source / "dist"), "."],
        cwd=source,
        check=True,
    )
    (made,) = (source / "dist").iterdir()
    return made


def test_the_wheel_holds_page_words_and_migrations_and_no_sources_of_the_page(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "bridge/web/static/index.html",
        "bridge/locale/fr.po",
        "bridge/store/migrations/env.py",
        "bridge/store/migrations/versions/0001_the_first_schema.py",
    } <= names
    assert any(name.startswith("bridge/web/static/assets/") and name.endswith(".js") for name in names)
    assert not any(name.startswith(("bridge/web/page", "tests", "docs")) for name in names)


def test_every_module_of_the_house_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    source = wheel.parents[1]
    for top in ("config", "appservice", "bridge"):
        for path in (source / top).rglob("*.py"):
            relative = path.relative_to(source)
            if "page" not in relative.parts:
                assert relative.as_posix() in names, f"{relative.parent} lacks an __init__.py"


def test_the_command_line_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    script = "import bridge.cli; print(bridge.__file__); bridge.cli.main(['config', 'sample'])"
    printed = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={"PYTHONPATH": str(wheel)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    where, _, sample = printed.partition("\n")
    assert where.startswith(str(wheel))
    assert "\nhomeserver:\n" in sample
