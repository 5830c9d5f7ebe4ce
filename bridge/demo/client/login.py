"""Another device for somebody who has an account."""

from __future__ import annotations

import secrets

from bridge.demo.client.server import Login
from bridge.demo.matrix_user import MatrixUser


async def new_device(user: MatrixUser) -> Login:
    """Log in once more, with the user's password, under a device id of its own.

    Raises:
        MatrixRefused: The homeserver refused.
    """
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user.user_id},
        "password": user.password,
        "device_id": f"DEMO{secrets.token_hex(4).upper()}",
    }
    answer = await user.request("POST", "/v3/login", body)
    return Login(user.url, user.user_id, answer["device_id"], answer["access_token"])
