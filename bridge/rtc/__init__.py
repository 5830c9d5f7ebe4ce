"""Element Call and Visio in one call: identities, and the gateway in the SFU's signalling path.

What people in Element Call see of the SFU passes through here; media never does.
"""

from __future__ import annotations
