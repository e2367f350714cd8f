"""The same job as it is usually done in Python: python3-milter, the email package, BeautifulSoup, a key for each link.

BeautifulSoup parses with Python's own html.parser: lxml ends the process (SIGSEGV) in libmilter's threads.

track-links.py SOCKET REDIS_SOCKET
"""

import email
import email.policy
import re
import secrets
import socket
import sys

import Milter
from bs4 import BeautifulSoup

URL = re.compile(r"https?://[^\s<>\"]+")
DAYS_30 = str(30 * 24 * 3600)


class Redis:
    """One connection, one pipeline of SETs at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.replies = self.socket.makefile("rb")

    def set_all(self, links):
        command = []
        for token, url in links:
            words = ["SET", "py:" + token, url, "EX", DAYS_30]
            command.append("*%d\r\n" % len(words))
            command += ["$%d\r\n%s\r\n" % (len(word.encode()), word) for word in words]
        self.socket.sendall("".join(command).encode())
        for _ in links:
            if self.replies.readline() != b"+OK\r\n":
                raise OSError("redis refused a link")


class TrackLinks(Milter.Base):
    def __init__(self):
        self.redis = Redis(REDIS_SOCKET)

    def envfrom(self, sender, *arguments):
        self.lines, self.body_chunks = [], []
        return Milter.CONTINUE

    @Milter.noreply
    def header(self, name, value):
        self.lines.append("%s: %s\n" % (name, value))
        return Milter.CONTINUE

    def body(self, chunk):
        self.body_chunks.append(chunk)
        return Milter.CONTINUE

    def eom(self):
        self.links = []
        head = "".join(self.lines).encode("utf-8", "surrogateescape") + b"\n"
        message = email.message_from_bytes(head + b"".join(self.body_chunks), policy=email.policy.SMTP)
        for part in message.walk():
            if part.get_content_type() == "text/html":
                soup = BeautifulSoup(part.get_content(), "html.parser")
                for anchor in soup.find_all("a", href=URL):
                    anchor["href"] = self.tracked(anchor["href"])
                part.set_content(str(soup), subtype="html", cte="quoted-printable")
            elif part.get_content_type() == "text/plain":
                text = URL.sub(lambda match: self.tracked(match.group()), part.get_content())
                part.set_content(text, cte="quoted-printable")
        self.redis.set_all(self.links)
        self.replacebody(message.as_bytes().split(b"\r\n\r\n", 1)[1])
        return Milter.ACCEPT

    def tracked(self, url):
        token = secrets.token_urlsafe(16)
        self.links.append((token, url))
        return "https://click.example/" + token


SOCKET, REDIS_SOCKET = sys.argv[1:3]
Milter.factory = TrackLinks
Milter.set_flags(Milter.CHGBODY)
Milter.runmilter("track-links", SOCKET, 240)
