"""Launchers of the real servers that the bridge talks to, on this machine, for the demo and the tests.

Each server is installed once into a per-user cache, and started in a folder of its own on loopback.
Nothing here is needed to run the bridge against servers that exist already.
"""
