"""A phone: a client of the Client-Server Protocol 1.2, in XML or in WBXML, of the standard library alone.

It logs in, opens the channel on which it is woken, sends, and fetches what waits when it is woken.
WBXML has a number for each element and for many texts; the table is the one that the program has,
crates/wvgate-wire/src/csp/data/tokens.tsv.
"""

import socket
import time
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlsplit

TOKENS = Path(__file__).resolve().parents[2] / "crates/wvgate-wire/src/csp/data/tokens.tsv"
VERSION = "1.2"
MESSAGE = "http://www.openmobilealliance.org/DTD/WV-CSP1.2"
TRANSACTION = "http://www.openmobilealliance.org/DTD/WV-TRC1.2"
PATIENCE = 30.0

SWITCH_PAGE, END, STRING, LITERAL, OPAQUE, VALUE = 0x00, 0x01, 0x03, 0x04, 0xC3, 0x80
WITH_CONTENT, WITH_ATTRIBUTES = 0x40, 0x80


class PhoneTrouble(Exception):
    """The phone was not answered as it should be."""


def element(name, *children, text=None):
    made = ET.Element(name)
    made.text = text
    made.extend(children)
    return made


def local(tag):
    return tag.rpartition("}")[2]


class Xml:
    content_type = "application/vnd.wv.csp.xml"

    def write(self, message):
        message.set("xmlns", MESSAGE)
        for content in message.iter("TransactionContent"):
            content.set("xmlns", TRANSACTION)
        return ET.tostring(message, encoding="utf-8", xml_declaration=True)

    def read(self, body):
        root = ET.fromstring(body)
        for part in root.iter():
            part.tag = local(part.tag)
        return root


class Wbxml:
    content_type = "application/vnd.wv.csp.wbxml"
    # Version 1.3 of WBXML, the public id of CSP 1.2, UTF-8, no table of texts.
    head = bytes([0x03, 0x11, 0x6A, 0x00])

    def __init__(self):
        self.tags, self.names, self.texts, self.numbers, self.kinds = {}, {}, {}, {}, {}
        for line in TOKENS.read_text().splitlines():
            if line.startswith("#"):
                continue
            kind, page, token, name, versions, content = line.split("\t")
            own = VERSION in versions.split(",")
            number = int(token, 16)
            if kind == "tag":
                at = (int(page, 16), number)
                self.names.setdefault(at, name)
                if own:
                    self.tags.setdefault(name, at)
                    self.kinds[name] = content
            else:
                self.texts.setdefault(number, name)
                # What a phone of this demo says has no text of two numbers but these.
                if own and name not in ("IM", "SMS"):
                    self.numbers.setdefault(name, number)

    def write(self, message):
        out = bytearray(self.head)
        self.page = 0
        self.put(message, out)
        return bytes(out)

    def put(self, part, out):
        page, token = self.tags[part.tag]
        if page != self.page:
            out += bytes([SWITCH_PAGE, page])
            self.page = page
        text = (part.text or "").encode()
        if not text and not len(part):
            out.append(token)
            return
        out.append(token | WITH_CONTENT)
        number = self.numbers.get(part.text)
        if self.kinds[part.tag] == "int" and text.isdigit():
            octets = int(text).to_bytes(8, "big").lstrip(b"\0") or b"\0"
            out += bytes([OPAQUE, len(octets)]) + octets
        elif number is not None and number < 0x80:
            out += bytes([VALUE, number])
        elif text:
            out += bytes([STRING]) + text + b"\0"
        for child in part:
            self.put(child, out)
        out.append(END)

    def read(self, body):
        self.body, self.at, self.page = body, 3, 0
        # Behind the version, the public id and the character set: the table of texts.
        size = self.number()
        self.table = body[self.at : self.at + size]
        self.at += size
        return self.take()

    def octet(self):
        octet = self.body[self.at]
        self.at += 1
        return octet

    def number(self):
        number = 0
        while True:
            octet = self.octet()
            number = number << 7 | octet & 0x7F
            if octet < 0x80:
                return number

    def string(self):
        end = self.body.index(0, self.at)
        text = self.body[self.at : end].decode()
        self.at = end + 1
        return text

    def token(self):
        token = self.octet()
        while token == SWITCH_PAGE:
            self.page = self.octet()
            token = self.octet()
        return token

    def take(self):
        token = self.token()
        if token & 0x3F == LITERAL:
            start = self.number()
            name = self.table[start : self.table.index(0, start)].decode()
        else:
            name = self.names.get((self.page, token & 0x3F))
        if name is None:
            raise PhoneTrouble(f"an element of page {self.page:02x} without a name: {token:02x}")
        part = ET.Element(name)
        if token & WITH_ATTRIBUTES:
            # Namespaces: a token for each, and its version as text.
            while (octet := self.octet()) != END:
                if octet == STRING:
                    self.string()
        if token & WITH_CONTENT:
            self.fill(part)
        return part

    def fill(self, part):
        text = ""
        while True:
            before = self.at
            token = self.token()
            if token == END:
                break
            if token == STRING:
                text += self.string()
            elif token == VALUE:
                text += self.texts[self.number()]
            elif token == OPAQUE:
                size = self.number()
                octets = self.body[self.at : self.at + size]
                self.at += size
                whole = self.kinds.get(part.tag) == "int"
                text += str(int.from_bytes(octets, "big")) if whole else octets.decode("latin-1")
            else:
                self.at = before
                part.append(self.take())
        part.text = text or None


class Phone:
    """A phone that is logged in; `url` is that of the access point."""

    def __init__(self, url, user, password, codec):
        self.url = url
        self.user = user
        self.codec = codec
        self.session = None
        self.next = 0
        self.bytes = 0
        login = element(
            "Login-Request",
            element("UserID", text=user),
            element("ClientID", element("URL", text=f"demo-{type(codec).__name__.lower()}")),
            element("Password", text=password),
            element("TimeToLive", text="600"),
            element("SessionCookie", text="demo"),
        )
        answer = self.ask(login, "Login-Response")
        self.session = answer.findtext("SessionID")
        self.channel = self.open_channel()

    def open_channel(self):
        """Agrees on being woken over TCP, and opens that channel."""
        asked = element(
            "CapabilityList",
            element("ClientType", text="MOBILE_PHONE"),
            element("InitialDeliveryMethod", text="P"),
            element("AcceptedContentLength", text="32767"),
            element("MultiTrans", text="1"),
            element("ParserSize", text="32767"),
            element("SupportedCIRMethod", text="STCP"),
        )
        answer = self.ask(
            element("ClientCapability-Request", asked), "ClientCapability-Response"
        )
        port = int(answer.findtext(".//TCPPort"))
        host = answer.findtext(".//TCPAddress") or urlsplit(self.url).hostname
        channel = socket.create_connection((host, port), timeout=PATIENCE)
        channel.sendall(f"HELO {self.session}\r\n".encode())
        lines = channel.makefile("rb")
        if lines.readline().strip() != b"OK":
            raise PhoneTrouble("the channel on which the phone is woken does not stand")
        self.lines = lines
        return channel

    def post(self, mode, id, content):
        descriptor = [element("SessionType", text="Inband" if self.session else "Outband")]
        if self.session:
            descriptor.append(element("SessionID", text=self.session))
        about = [element("TransactionMode", text=mode), element("TransactionID", text=id)]
        message = element(
            "WV-CSP-Message",
            element(
                "Session",
                element("SessionDescriptor", *descriptor),
                element(
                    "Transaction",
                    element("TransactionDescriptor", *about),
                    element("TransactionContent", content),
                ),
            ),
        )
        body = self.codec.write(message)
        request = urllib.request.Request(self.url, body, method="POST")
        request.add_header("Content-Type", self.codec.content_type)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            body = answer.read()
        self.bytes += len(body)
        return self.codec.read(body) if body else None

    def ask(self, content, wanted):
        """Asks, and takes the answer, which must be yes."""
        self.next += 1
        message = self.post("Request", str(self.next), content)
        answer = message.find(".//TransactionContent")[0]
        code = answer.findtext(".//Code") or "200"
        if answer.tag != wanted or code != "200":
            said = ET.tostring(answer, encoding="unicode")
            raise PhoneTrouble(f"{self.user} asked {content.tag} and was answered {said}")
        return answer

    def send(self, to, text):
        """Sends a text; its id."""
        info = element(
            "MessageInfo",
            element("ContentType", text="text/plain"),
            element("ContentSize", text=str(len(text.encode()))),
            element("Recipient", element("User", element("UserID", text=to))),
            element("Sender", element("User", element("UserID", text=self.user))),
        )
        request = element(
            "SendMessage-Request",
            element("DeliveryReport", text="F"),
            info,
            element("ContentData", text=text),
        )
        return self.ask(request, "SendMessage-Response").findtext("MessageID")

    def fetch(self):
        """What waits: sender, text and id of each message. Each is acknowledged."""
        messages = []
        said = self.post("Request", "0", element("Polling-Request"))
        while said is not None:
            told = said.find(".//TransactionContent")[0]
            id = said.findtext(".//TransactionID")
            if told.tag == "NewMessage":
                message = told.findtext(".//MessageID")
                text = told.findtext("ContentData")
                messages.append((told.findtext(".//Sender//UserID"), text, message))
                answer = element("MessageDelivered", element("MessageID", text=message))
            else:
                answer = element("Status", element("Result", element("Code", text="200")))
            said = self.post("Response", id, answer)
        return messages

    def wait(self, text):
        """Waits until it is woken for a message of this text; its sender and id."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for sender, got, id in self.fetch():
                if got == text:
                    return sender, id
            try:
                line = self.lines.readline()
            except TimeoutError:
                break
            if not line.startswith(b"WVCI"):
                raise PhoneTrouble(f"the channel says {line!r}")
        raise PhoneTrouble(f"{self.user} did not get {text!r}")

    def leave(self):
        self.ask(element("Logout-Request"), "Status")
        self.channel.close()
