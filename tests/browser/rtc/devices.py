"""A camera for every page.

Chromium's fake camera stops for good when two pages let it go and take it at the same moment, which a call
that moves makes them do. So each page draws its picture itself; the microphone is Chromium's.
"""

from __future__ import annotations

import itertools

MEDIA = ["camera", "microphone"]
"""Permissions of a browser context."""

_pages = itertools.count()


def own_camera() -> str:
    """A script that gives the next page a camera: small and slow pictures in a colour of its own."""
    return _SCRIPT.replace("HUE", str(next(_pages) * 137 % 360))


_SCRIPT = """
(() => {
  const original = MediaDevices.prototype.getUserMedia;
  function camera() {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 180 });
    const drawing = canvas.getContext("2d");
    let frame = 0;
    const draw = () => {
      drawing.fillStyle = "hsl(HUE 60% 35%)";
      drawing.fillRect(0, 0, 320, 180);
      drawing.fillStyle = "hsl(HUE 70% 75%)";
      drawing.beginPath();
      drawing.arc(160 + 60 * Math.cos(frame / 8), 90 + 40 * Math.sin(frame / 8), 26, 0, 7);
      drawing.fill();
      frame += 1;
    };
    draw();
    const [track] = canvas.captureStream(8).getVideoTracks();
    const timer = setInterval(() => (track.readyState === "live" ? draw() : clearInterval(timer)), 125);
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
