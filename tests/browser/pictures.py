"""Pictures for people to look at: among the artefacts, or where ``make pictures`` wants them."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

from playwright.async_api import Browser, Page

from tests.browser.guest import ARTEFACTS

_FOLDER = os.environ.get("PASSERELLE_PICTURES")


def picture_file(name: str) -> Path:
    """Where the picture of this name goes."""
    folder = Path(_FOLDER or ARTEFACTS / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.png"


async def side_by_side(browser: Browser, name: str, *pages: Page) -> None:
    """Take one picture of several pages."""
    taken = [await page.screenshot() for page in pages]
    images = "".join(f'<img src="data:image/png;base64,{b64encode(one).decode()}">' for one in taken)
    width = sum(page.viewport_size["width"] + 16 for page in pages if page.viewport_size) + 16
    context = await browser.new_context(viewport={"width": width, "height": 100})
    sheet = await context.new_page()
    await sheet.set_content(f"<!doctype html><style>{_SHEET}</style>{images}")
    await sheet.screenshot(path=picture_file(name), full_page=True)
    await context.close()


_SHEET = """
body { display: flex; align-items: start; gap: 16px; margin: 0; padding: 16px; background: #eceef2; }
img { flex: none; border-radius: 8px; box-shadow: 0 0 2px #0006; }
"""


def portraits(of: str = "visio") -> str:
    """A script that gives pages a drawn face for a camera.

    Args:
        of: Whose: ``matrix`` or ``visio``. In Element Call it is always the former.
    """
    # Small, because two cores draw, encode and decode all of them; sharp where people look at them.
    width = 640 if _FOLDER else 320
    return _PORTRAITS.replace("WHOSE", of).replace("WIDTH", str(width))


_PORTRAITS = """
(() => {
  const looks = {
    matrix: { wall: ["#3d5a80", "#98c1d9"], skin: "#c68863", hair: "#2b1d14", clothes: "#ee6c4d" },
    visio: { wall: ["#6b705c", "#cbc8a8"], skin: "#f0c8a0", hair: "#7a4a24", clothes: "#2a6f6b" },
  };
  const look = location.pathname.includes("element-call") ? looks.matrix : looks.WHOSE;
  const original = MediaDevices.prototype.getUserMedia;
  const [width, height] = [480, 270];
  const drawn = { width: WIDTH, height: WIDTH * 9 / 16 };
  function draw(pen, frame) {
    pen.setTransform(drawn.width / width, 0, 0, drawn.height / height, 0, 0);
    const wall = pen.createLinearGradient(0, 0, width, height);
    look.wall.forEach((colour, at) => wall.addColorStop(at, colour));
    pen.fillStyle = wall;
    pen.fillRect(0, 0, width, height);
    const x = width / 2 + 8 * Math.sin(frame / 9);
    const round = (dx, y, across, down, colour, from = 0, to = 7) => {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.ellipse(x + dx, y, across, down, 0, from, to);
      pen.fill();
    };
    round(0, 292, 118, 92, look.clothes);
    round(0, 200, 26, 38, look.skin);
    round(0, 118, 66, 74, look.hair);
    round(0, 132, 52, 64, look.skin);
    round(0, 92, 58, 34, look.hair, Math.PI, 2 * Math.PI);
    for (const side of [-20, 20]) round(side, 128, 5, 6, "#222");
    pen.lineWidth = 4;
    pen.strokeStyle = "#8a3b2e";
    pen.beginPath();
    pen.arc(x, 148, 18, 0.25, Math.PI - 0.25);
    pen.stroke();
  }
  function camera() {
    const canvas = Object.assign(document.createElement("canvas"), drawn);
    const pen = canvas.getContext("2d");
    let frame = 0;
    draw(pen, frame);
    const [track] = canvas.captureStream(8).getVideoTracks();
    const timer = setInterval(() => {
      if (track.readyState === "live") draw(pen, (frame += 1));
      else clearInterval(timer);
    }, 125);
    return track;
  }
  MediaDevices.prototype.getUserMedia = async function (constraints) {
    if (!constraints?.video) return original.call(this, constraints);
    const { video, ...others } = constraints;
    const stream = others.audio ? await original.call(this, others) : new MediaStream();
    stream.addTrack(camera());
    return stream;
  };
})();
"""
