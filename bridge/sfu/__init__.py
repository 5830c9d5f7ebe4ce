"""The SFU (LiveKit): what the bridge asks it, the tokens it signs, and the webhooks it gets.

Everything of LiveKit's protocol stays in here; the rest of the bridge sees the plain data of
`bridge.sfu.model` and `bridge.sfu.webhooks.Hint`.
"""

from __future__ import annotations
