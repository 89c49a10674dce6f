"""A scripted peer: a home domain of few users that speaks just enough SSP.

It never dies and forgets nothing: each of its transactions is posted under its id until it is
acknowledged with 200, one at a time per conversation; each request that comes is answered, the same
one with the same answer. So whatever is lost, doubled or out of order in its books was so between
its neighbour and the other end.
"""

import asyncio
import base64
import hashlib
import re
import secrets
from xml.sax.saxutils import escape

HEAD = '<?xml version="1.0" encoding="UTF-8"?><WV-SSP-Message>'
TAIL = "</WV-SSP-Message>"
TRANSACTION = re.compile(r"<Transaction ([^>]*)>(.*?)</Transaction>", re.S)
SETUP = re.compile(r"<SetupTransaction ([^>]*)>(.*?)</SetupTransaction>", re.S)
PATIENCE = 15
# Pause before a POST is repeated.
AGAIN = 0.3


def attribute(text, name):
    found = re.search(rf'\b{name}="([^"]*)"', text)
    return found.group(1) if found else ""


def element(text, name):
    found = re.search(rf"<{name}\b[^>]*>\s*(.*?)\s*</{name}>", text, re.S)
    return found.group(1) if found else ""


def digest(token):
    return base64.b64encode(hashlib.md5(token.encode()).digest()).decode()


class Peer:
    """The domain `domain`, whose neighbour is reached at `node_port`."""

    def __init__(self, domain, neighbour, node_port, ledger):
        self.domain, self.neighbour, self.node_port = domain, neighbour, node_port
        self.ledger = ledger
        self.session = None
        self.server = None
        self.up = asyncio.Event()
        self.tokens = {}
        self.expected = {}
        self.answers = {}
        self.asked = {}
        self.queues = {}
        self.tasks = set()
        self.number = 0
        self.logging_in = False
        self.logins = 0

    async def start(self, port=0):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", port)
        self.port = self.server.sockets[0].getsockname()[1]
        self.spawn(self.keep_session())

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def stop(self):
        for task in list(self.tasks):
            task.cancel()
        if self.server is not None:
            self.server.close()

    def next_id(self):
        self.number += 1
        return f"{self.domain}-{self.number}"

    # What it sends by itself.

    def message(self, sender, recipient, id, report):
        """Queues a message in its conversation; `sender` is a user of this domain."""
        transaction = self.next_id()
        self.asked[transaction] = id
        wish = "Yes" if report else "No"
        self.queue((sender, recipient), "Request", transaction, (
            f'<SendMessageRequest deliveryReport="{wish}">'
            f'<MetaInfo clientOriginated="Yes"><Requestor serviceID="wv:@{self.domain}">'
            f'<User userID="wv:{sender}"/></Requestor></MetaInfo>'
            f'<MessageInfo messageID="{id}" contentType="text/plain" validity="86400">'
            f'<Recipient><User userID="wv:{recipient}"/></Recipient>'
            f'<Sender><User userID="wv:{sender}"/></Sender></MessageInfo>'
            f'<ContentData contentType="text/plain">{escape(id)}</ContentData>'
            "</SendMessageRequest>"
        ))

    def report(self, of, id, to):
        """Tells the sender `to` that `of`, a user of this domain, has the message."""
        self.queue((of, to, "report"), "Request", self.next_id(), (
            '<DeliveryStatusReport><MetaInfo clientOriginated="Yes">'
            f'<Requestor serviceID="wv:@{self.domain}"><User userID="wv:{of}"/></Requestor>'
            '</MetaInfo><DeliveryResult><Status code="200"/></DeliveryResult>'
            f'<MessageInfo messageID="{id}"><Recipient><User userID="wv:{to}"/></Recipient>'
            f'<Sender><User userID="wv:{of}"/></Sender></MessageInfo></DeliveryStatusReport>'
        ))

    def queue(self, conversation, mode, id, primitive):
        queue = self.queues.get(conversation)
        if queue is None:
            queue = self.queues[conversation] = asyncio.Queue()
            self.spawn(self.post_all(queue))
        queue.put_nowait((mode, id, primitive))

    def waiting(self):
        """Transactions not yet acknowledged."""
        return sum(queue.qsize() for queue in self.queues.values())

    async def post_all(self, queue):
        while True:
            mode, id, primitive = await queue.get()
            await self.post_until_taken(mode, id, primitive)

    async def post_until_taken(self, mode, id, primitive):
        while True:
            await self.up.wait()
            session = self.session
            if session is None:
                continue
            body = (
                f'{HEAD}<Session sessionID="{session}">'
                f'<Transaction mode="{mode}" transactionID="{id}">{primitive}</Transaction>'
                f"</Session>{TAIL}"
            )
            status = await self.post(body)
            if status == 200:
                return
            if status == 403 and self.session == session:
                self.drop_session()
            await asyncio.sleep(AGAIN)

    async def post(self, body):
        """The HTTP status; 0 if there was none."""
        try:
            return await asyncio.wait_for(self.exchange(body.encode()), PATIENCE)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError):
            return 0

    async def exchange(self, body):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.node_port)
        try:
            writer.write((
                "POST / HTTP/1.1\r\nHost: node\r\nContent-Type: application/vnd.wv.ssp+xml\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            ).encode() + body)
            await writer.drain()
            line = await reader.readline()
            # Cut in the middle of a head is no answer.
            head = await reader.readuntil(b"\r\n\r\n")
            return int(line.split()[1]) if head else 0
        except IndexError:
            return 0
        finally:
            writer.transport.abort()

    # The session: it logs in whenever there is none.

    def drop_session(self):
        self.session = None
        self.up.clear()

    async def keep_session(self):
        while True:
            if self.session is None:
                await self.log_in()
            await asyncio.sleep(AGAIN)

    async def log_in(self):
        self.logins += 1
        id, token = self.next_id(), secrets.token_hex(16)
        self.tokens[id] = token
        done = self.expected[id] = asyncio.Event()
        await self.step(id, "Request", (
            f'<SendSecretToken serviceID="wv:@{self.domain}" protocol="WV-SSP" '
            f'protocolVersion="1.3"><SecretToken>{token}</SecretToken></SendSecretToken>'
        ))
        try:
            await asyncio.wait_for(done.wait(), 5)
        except asyncio.TimeoutError:
            await asyncio.sleep(1)
        self.expected.pop(id, None)
        self.tokens.pop(id, None)

    async def step(self, id, mode, primitive):
        body = (
            f'{HEAD}<SetupTransaction mode="{mode}" transactionID="{id}">{primitive}'
            f"</SetupTransaction>{TAIL}"
        )
        return await self.post(body)

    def login_request(self, token):
        return (
            f'<LoginRequest serviceID="wv:@{self.domain}" timeToLive="86400">'
            f'<PasswordDigest encoding="base64">{digest(token)}</PasswordDigest></LoginRequest>'
        )

    def login_response(self, session):
        return (
            f'<LoginResponse sessionID="{session}" timeToLive="86400"><Status code="200"/>'
            "</LoginResponse>"
        )

    async def setup(self, attributes, content):
        id, mode = attribute(attributes, "transactionID"), attribute(attributes, "mode")
        token = element(content, "SecretToken")
        if "<SendSecretToken" in content and mode == "Response":
            # The one login of ours that is under way: the answer has an id of its own.
            for own in list(self.expected):
                await self.step(own, "Request", self.login_request(token))
        elif "<SendSecretToken" in content:
            # It logs in to us.
            await self.step(self.next_id(), "Response", (
                f'<SendSecretToken serviceID="wv:@{self.domain}" protocol="WV-SSP" '
                f'protocolVersion="1.3"><SecretToken>{secrets.token_hex(16)}</SecretToken>'
                "</SendSecretToken>"
            ))
            self.tokens["of " + self.neighbour] = token
        elif "<LoginRequest" in content and mode == "Response":
            session = f"{secrets.token_hex(8)}@{self.domain}"
            self.offered = session
            await self.step(id, "Request", self.login_response(session))
        elif "<LoginRequest" in content:
            token = self.tokens.get("of " + self.neighbour, "")
            await self.step(id, "Response", self.login_request(token))
        elif "<LoginResponse" in content and mode == "Response":
            if id in self.expected and attribute(content, "code") == "200":
                self.established(self.offered)
                self.expected[id].set()
        elif "<LoginResponse" in content:
            session = f"{secrets.token_hex(8)}@{self.domain}"
            await self.step(id, "Response", self.login_response(session))
            self.established(session)

    def established(self, session):
        self.session = session
        self.up.set()

    # What comes.

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"(?i)content-length:\s*(\d+)", head)
                body = await reader.readexactly(int(length.group(1)) if length else 0)
                self.take(body.decode())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    def take(self, body):
        for attributes, content in SETUP.findall(body):
            self.spawn(self.setup(attributes, content))
        for attributes, content in TRANSACTION.findall(body):
            id = attribute(attributes, "transactionID")
            if attribute(attributes, "mode") == "Response":
                self.response(id, content)
            else:
                self.request(id, content)

    def response(self, id, content):
        message = self.asked.pop(id, None)
        if message is not None:
            self.ledger.answered(message, code_of(content))

    def request(self, id, content):
        if "<Disconnect" in content or "<DeliveryStatusReport" in content:
            known = id in self.answers
            self.answers[id] = None
            if known:
                return
            if "<Disconnect" in content:
                self.drop_session()
                return
            message = attribute(content, "messageID")
            self.ledger.reported(message, code_of(element(content, "DeliveryResult")))
            return
        if id not in self.answers:
            self.answers[id] = self.answer(content)
        self.queue(("answer", id[-1:]), "Response", id, self.answers[id])

    def answer(self, content):
        if "<SendMessageRequest" not in content:
            code = 200 if "<KeepAliveRequest" in content else 501
            return f'<Status code="{code}"/>'
        info = re.search(r"<MessageInfo.*</MessageInfo>", content, re.S).group(0)
        id = attribute(info, "messageID")
        self.ledger.arrived(id)
        if attribute(content, "deliveryReport").startswith("Y"):
            sender = address(element(info, "Sender"))
            self.report(address(element(info, "Recipient")), id, sender)
        return f'<SendMessageResponse messageID="{id}"><Status code="200"/></SendMessageResponse>'


def address(content):
    return attribute(content, "userID").removeprefix("wv:")


def code_of(content):
    """The status; where it is "some" or "none" of one recipient, that recipient's."""
    codes = [int(code) for code in re.findall(r'\bcode="(\d+)"', content)]
    if not codes:
        return 0
    return codes[1] if codes[0] in (201, 900) and len(codes) > 1 else codes[0]
