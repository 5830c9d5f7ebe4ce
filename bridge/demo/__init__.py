"""The whole thing on one machine: launchers of real servers, a Matrix user, and the story of one call."""
