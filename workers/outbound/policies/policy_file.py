"""The file in which a domain publishes its policy, fetched over verified HTTPS, as RFC 8461 §3.3 asks."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading

from service.core.config import settings
from workers.outbound.smtp import public_hosts

MOST_BYTES = 65_536
WAIT_SECONDS = 10.0
WHOLE_SECONDS = 30.0
"""For all of it, in whatever pieces it comes."""
PATH = "/.well-known/mta-sts.txt"
HTTPS_PORT = 443


def fetch(domain: str) -> str:
    """The text of the file. Raises OSError or ValueError where there is none that counts."""
    host = f"mta-sts.{domain}".encode("idna").decode("ascii")
    trust = ssl.create_default_context()
    if settings().mail_ca_file:
        trust.load_verify_locations(settings().mail_ca_file)
    wrapped = {"server_hostname": host, "do_handshake_on_connect": False, "suppress_ragged_eofs": False}
    with trust.wrap_socket(_connected(host), **wrapped) as secured:  # type: ignore[arg-type]
        end = threading.Timer(WHOLE_SECONDS, secured.shutdown, [socket.SHUT_RDWR])
        end.start()
        try:
            secured.do_handshake()
            return _asked(host, secured)
        except http.client.HTTPException as error:
            raise ValueError("no answer that HTTP knows") from error
        finally:
            end.cancel()


def _connected(host: str) -> socket.socket:
    if (place := settings().mail_routes.get(host)) is not None:
        return socket.create_connection(place, WAIT_SECONDS)
    if settings().allow_private_mx:
        return socket.create_connection((host, HTTPS_PORT), WAIT_SECONDS)
    return public_hosts.connect(host, HTTPS_PORT, WAIT_SECONDS)


def _asked(host: str, secured: ssl.SSLSocket) -> str:
    """No redirect is followed, and nothing but plain text is read (RFC 8461 §3.2 and §3.3)."""
    connection = http.client.HTTPConnection(host)
    connection.sock = secured
    connection.request("GET", PATH, headers={"Accept": "text/plain"})
    response = connection.getresponse()
    if response.status != http.client.OK or response.headers.get_content_type() != "text/plain":
        raise ValueError("no file of plain text")
    content = response.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError("longer than any policy")
    return content.decode("utf-8")
