"""The handshake of Python 3.12's multiprocessing.connection, written from its description, with faults on demand.

handshake.py client|listener ADDRESS KEY VARIATION: connects or listens (tcp: only; prints the port), does the handshake,
then sends every message back turned round. Exit: 11 the stream ended, 10 one side refused the other.

VARIATION is the digest in which this side asks, or what it does wrong: answer-md5 (bare, as Python 3.11), answer-{md5},
answer-sha384 (whatever was asked), ask-md5 (as Python 3.11), reflect (gives the other side's own words back).
"""
import hashlib
import hmac
import os
import socket
import struct
import sys

DIGESTS = ("sha256", "sha384", "sha3_256", "sha3_384")


class Refused(Exception):
    pass


def send(sock, data):
    sock.sendall(struct.pack("!i", len(data)) + data)


def recv(sock):
    def exactly(size):
        data = b""
        while len(data) < size:
            piece = sock.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    return exactly(struct.unpack("!i", exactly(4))[0])


def mac(key, message, digest):
    return hmac.new(key, message, getattr(hashlib, digest)).digest()


def split(message):
    name, end, rest = message[1:].partition(b"}")
    if message[:1] != b"{" or not end or name.decode() not in DIGESTS:
        raise Refused
    return name.decode(), rest


def ask(sock, key, variation):
    digest = variation if variation in DIGESTS else "sha256"
    message = os.urandom(20) if variation == "ask-md5" else b"{%s}" % digest.encode() + os.urandom(40)
    send(sock, b"#CHALLENGE#" + message)
    answer = recv(sock)
    if variation == "ask-md5":
        right = hmac.compare_digest(answer, mac(key, message, "md5"))
    else:
        name, code = split(answer)
        right = name == digest and hmac.compare_digest(code, mac(key, message, name))
    send(sock, b"#WELCOME#" if right else b"#FAILURE#")
    if not right:
        raise Refused


def answer(sock, key, variation):
    message = recv(sock)
    if not message.startswith(b"#CHALLENGE#"):
        raise Refused
    message = message[len(b"#CHALLENGE#"):]
    digest = split(message)[0]
    if variation == "answer-md5":
        reply = mac(key, message, "md5")
    elif variation == "answer-{md5}":
        reply = b"{md5}" + mac(key, message, "md5")
    elif variation == "answer-sha384":
        reply = b"{sha384}" + mac(key, message, "sha384")
    elif variation == "reflect":
        reply = message
    else:
        reply = b"{%s}" % digest.encode() + mac(key, message, digest)
    send(sock, reply)
    if recv(sock) != b"#WELCOME#":
        raise Refused


def main():
    role, address, key, variation = sys.argv[1], sys.argv[2], sys.argv[3].encode(), sys.argv[4]
    where = ("127.0.0.1", int(address.rpartition(":")[2]))
    if role == "listener":
        listening = socket.create_server(where)
        print("ready", listening.getsockname()[1], flush=True)
        sock = listening.accept()[0]
        listening.close()
    else:
        sock = socket.create_connection(where)
    begun = False
    try:
        for step in (ask, answer) if role == "listener" else (answer, ask):
            step(sock, key, variation)
        begun = True
        while True:
            send(sock, recv(sock)[::-1])
    except Refused:
        return 10
    except (EOFError, ConnectionError):
        return 11 if begun else 10


sys.exit(main())
