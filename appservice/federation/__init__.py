"""Asking other homeservers who holds an OpenID token, without being led anywhere by the asker.

The way of a look-up: ``names`` reads the server's name, ``discovery`` finds where it is served
(``well_known``, ``srv``), ``transport`` reaches it within ``limits`` and only at addresses that ``guard``
allows, and ``openid`` judges the answer. Knows nothing of calls.
"""

from __future__ import annotations
