"""A web server of one connection that has read a request and then begins TLS anew, as a stock Pulp 2's httpd does, or as none should.

renegotiating.py MODE CERTIFICATE KEY [OTHER_CERTIFICATE OTHER_KEY]; the first line that it prints is its port.
"""

import select
import socket
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

BODY = b"null"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)
# Longer than any client should go along.
FOR_EVER = 50


# `SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION`, which mod_ssl sets: each handshake is a whole one.
WHOLE = 1 << 16


def context_of(mode, certificate, key):
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    if mode != "forever-resumed":
        context.set_options(WHOLE)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_session_id(b"late")
    context.use_certificate_chain_file(certificate)
    context.use_privatekey_file(key)
    return context


def begin_anew(connection, stream):
    """Asks for a handshake and has it made."""
    before = connection.get_peer_finished()
    connection.renegotiate()
    connection.do_handshake()
    # The client's part of it comes as something to read; nothing else does.
    stream.setblocking(False)
    while connection.get_peer_finished() == before:
        select.select([stream], [], [])
        try:
            connection.recv(1, socket.MSG_PEEK)
        except SSL.WantReadError:
            pass
    stream.setblocking(True)


def serve(mode, connection, stream, others):
    connection.recv(4096)
    if mode in ("forever", "forever-resumed"):
        for _ in range(FOR_EVER):
            begin_anew(connection, stream)
    elif mode == "other":
        connection.use_certificate(others.certificate)
        connection.use_privatekey(others.key)
        begin_anew(connection, stream)
    elif mode == "require":
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        begin_anew(connection, stream)
    elif mode == "late":
        connection.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        begin_anew(connection, stream)
    elif mode == "cut":
        connection.renegotiate()
        connection.do_handshake()
        # Its first words are read and not answered.
        connection.sock_shutdown(socket.SHUT_RDWR)
        return
    connection.sendall(ANSWER)
    connection.shutdown()


class Others:
    def __init__(self, certificate, key):
        with open(certificate, "rb") as file:
            self.certificate = x509.load_pem_x509_certificate(file.read())
        with open(key, "rb") as file:
            self.key = serialization.load_pem_private_key(file.read(), None)


def main(mode, certificate, key, *others):
    others = Others(*others) if others else None
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        stream, _ = listener.accept()
        connection = SSL.Connection(context_of(mode, certificate, key), stream)
        connection.set_accept_state()
        try:
            connection.do_handshake()
            serve(mode, connection, stream, others)
        except (SSL.Error, OSError) as error:
            print(repr(error), flush=True)
        stream.close()


main(*sys.argv[1:])
