"""Why a look-up at another homeserver failed: one class per cause, each with advice for the admin.

Messages name servers, addresses and status codes, never tokens, users or bodies: they may be logged.
"""

from __future__ import annotations

from typing import ClassVar


class LookupFailed(Exception):
    """The other homeserver did not confirm the token.

    Attributes:
        code: Short name of the cause, for logs and metrics.
        can_heal: Whether the same look-up may succeed later without anybody changing the request.
        advice: What the admin can do about it, in English.
    """

    code: ClassVar[str] = "failed"
    can_heal: ClassVar[bool] = True
    advice: ClassVar[str] = "Look at the other homeserver's log."


class BadServerName(LookupFailed):
    """What was given as a server name is none (Matrix appendices, "Server Name")."""

    code = "bad_server_name"
    can_heal = False
    advice = "The client sent something that is no server name; nothing was asked of anybody."


class NameUnknown(LookupFailed):
    """The host has no address."""

    code = "name_unknown"
    advice = (
        "Its name does not resolve here. Check the machine's DNS; if the server can only be reached by"
        " another name, say so in federation.servers."
    )


class AddressRefused(LookupFailed):
    """The host is at an address that is not public, and not in a network that the admin listed."""

    code = "address_refused"
    can_heal = False
    advice = (
        "It leads to a private address. If that homeserver really lives there, list its network in"
        " federation.networks."
    )


class ServerUnreachable(LookupFailed):
    """No connection, or one that broke off."""

    code = "unreachable"
    advice = (
        "Nothing answers at its federation address. Check its .well-known/matrix/server, SRV record and port,"
        " and that a firewall lets this machine out; federation.servers can name the address by hand."
    )


class ServerTooSlow(LookupFailed):
    """No whole answer within the time-out."""

    code = "too_slow"
    advice = "It did not answer in time. If that goes on, a firewall on the way probably drops the packets."


class TlsFailed(LookupFailed):
    """The other side speaks no TLS, or none that we accept."""

    code = "tls_failed"
    advice = (
        "The port does not speak TLS 1.2 or newer. Check that it is the federation port, not a plain one."
    )


class CertificateRefused(LookupFailed):
    """Its certificate is not signed by an authority that we trust, has expired, or names another host."""

    code = "certificate_refused"
    can_heal = False
    advice = (
        "Its certificate does not hold. If your own authority signed it, name that in federation.ca_file;"
        " if it names another host, the server's delegation or certificate is wrong."
    )


class ProxyFailed(LookupFailed):
    """The HTTP proxy cannot be reached or does not let us through."""

    code = "proxy_failed"
    advice = "Check federation.proxy, and that the proxy lets this machine reach that homeserver and port."


class NoUserinfo(LookupFailed):
    """The server is there but offers no OpenID look-up."""

    code = "no_userinfo"
    can_heal = False
    advice = (
        "It has no OpenID look-up at that address. In Synapse a listener needs the resource “openid” or"
        " “federation”; if another port has it, name that port in federation.servers."
    )


class TokenRefused(LookupFailed):
    """The homeserver does not know the token, or no longer."""

    code = "token_refused"
    can_heal = False
    advice = "The token has expired or was never given out by that server; the client asks for a new one."


class ServerFailed(LookupFailed):
    """The homeserver, or what stands before it, answered that it cannot answer."""

    code = "server_failed"
    advice = "The homeserver or the proxy before it reports a failure of its own; see its log."


class NonsenseAnswer(LookupFailed):
    """An answer that no homeserver gives: not HTTP, not JSON, far too long, a redirect, no user id."""

    code = "nonsense"
    can_heal = False
    advice = (
        "What answers there is no homeserver. Check where its .well-known/matrix/server and SRV record point,"
        " or what federation.servers says."
    )


class WrongServer(LookupFailed):
    """The server vouched for a user of another server. Somebody may be trying to be somebody else."""

    code = "wrong_server"
    can_heal = False
    advice = "A homeserver can speak for its own users only. If this repeats, deny that server in the policy."


class TooManyLookups(LookupFailed):
    """As many look-ups are under way as are allowed, at this server or in all."""

    code = "too_many"
    advice = "Look-ups pile up: a homeserver answers slowly, or somebody sends tokens in bulk."
