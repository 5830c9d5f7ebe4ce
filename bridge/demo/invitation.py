"""What the demo says once its call is open: which address to open, and what is there."""

from __future__ import annotations

from bridge.demo.stage import LANGUAGE, Stage
from bridge.demo.venues import Venue, VisioStandIn


def how_to_join(stage: Stage, client: str, link: str) -> str:
    """The ways into the call.

    Args:
        stage: Where it takes place.
        client: Address of Alice's room in the demo's client.
        link: The meeting's.
    """
    words = ("aide", "statut", "fin") if LANGUAGE == "fr" else ("help", "status", "end")
    commands = ", ".join(f"!visio {word}" for word in words)
    return (
        "\nThe call is open. Open this address in a browser on this machine:\n\n"
        f"    {client}\n\n"
        f"{_what_it_shows(stage.venue)}\n"
        "The meeting alone, in another window or for one more person:\n\n"
        f"    {link}\n"
        f"{_with_an_account(stage.venue)}\n"
        "Or look at the room with any Matrix client that lets you choose the homeserver's address\n"
        "(Element: Sign in, Edit beside the homeserver, Other homeserver):\n\n"
        f"    homeserver  {stage.synapse.url}\n"
        f"    user        alice     password  {stage.alice.password}\n"
        f"    user        bob       password  {stage.bob.password}\n"
        "    room        Démonstration\n\n"
        f"Type there {commands}. Each version of the card is shown here too.\n"
        f"Logs: {stage.bridge.folder.parent}\n"
        "Ctrl-C stops everything.\n"
    )


def _what_it_shows(venue: Venue) -> str:
    if not venue.attended:
        return "It is Alice's room in Matrix, with the card and its link.\n"
    button = "Appeler" if LANGUAGE == "fr" else "Call"
    if venue.framed is None:
        return f"It is Alice's room in Matrix: “{button}” takes her into the meeting, in Element Call.\n"
    return (
        f"Left, Alice's room in Matrix: “{button}” takes her into the meeting, in Element Call.\n"
        "Right, the same meeting in Visio: join there too, and both see each other.\n"
    )


def _with_an_account(venue: Venue) -> str:
    if not isinstance(venue, VisioStandIn):
        return ""
    email = venue.visio.world.users[-1].email
    return f"    (add ?account={email} to come as somebody with an account)\n"
