"""People: users of the home domain at its control socket, and a user of the XMPP server."""

import asyncio
import base64
import json
import random
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class HomeUser:
    """A user whose client comes and goes. What it has read it acknowledges a moment later; when it
    goes in between, the next client of the user gets the same again. Like any client it knows a
    message by its id."""

    def __init__(self, name, domain, socket, ledger, rng):
        self.name, self.address = name, f"{name}@{domain}"
        self.socket, self.ledger, self.rng = socket, ledger, rng
        self.writer = None
        self.here = asyncio.Event()
        self.known = set()
        self.unanswered = {}
        self.visits = 0
        self.acknowledging = set()
        self.staying = False

    async def live(self):
        while True:
            try:
                await self.visit()
            except (OSError, EOFError, asyncio.TimeoutError, json.JSONDecodeError):
                pass
            finally:
                self.leave()
            await asyncio.sleep(0.05 if self.staying else self.absence())

    def absence(self):
        """Seconds until the next visit. One in five is long: more comes meanwhile than a client is told
        at once."""
        if self.rng.random() < 0.2:
            return self.rng.uniform(5, 12)
        return self.rng.uniform(0.05, 0.5)

    def leave(self):
        self.here.clear()
        for task in self.acknowledging:
            task.cancel()
        if self.writer is not None:
            # Without a word, as a phone does in a tunnel.
            self.writer.transport.abort()
        self.writer = None

    async def visit(self):
        reader, self.writer = await asyncio.open_unix_connection(self.socket, limit=1 << 20)
        self.tell({"do": "chat", "user": self.name})
        first = json.loads(await asyncio.wait_for(reader.readuntil(b"\n"), 15))
        if first.get("event") != "opened":
            return
        self.visits += 1
        self.here.set()
        # Whatever was sent and not answered is sent again, under its id.
        for request in list(self.unanswered.values()):
            self.ledger.repeated(request["id"])
            self.tell(request)
        end = asyncio.get_running_loop().time() + self.rng.uniform(0.5, 6)
        while True:
            now = asyncio.get_running_loop().time()
            if now > end and not self.staying:
                return
            try:
                line = await asyncio.wait_for(reader.readuntil(b"\n"), 0.5)
            except asyncio.TimeoutError:
                continue
            self.hear(json.loads(line))

    def tell(self, line):
        if self.writer is not None:
            self.writer.write(json.dumps(line).encode() + b"\n")

    def hear(self, told):
        if "primitive" in told:
            primitive = ET.fromstring(told["primitive"])
            if told["event"] == "answer":
                self.answered(told["id"], primitive)
            elif primitive.tag == "NewMessage":
                id = primitive.find("MessageInfo").get("messageID")
                self.took(("message", id), lambda: self.ledger.arrived(id))
            elif primitive.tag == "DeliveryStatusReport":
                self.reported(primitive)
        number = told.get("number")
        if number is not None:
            task = asyncio.ensure_future(self.acknowledge(number))
            self.acknowledging.add(task)
            task.add_done_callback(self.acknowledging.discard)

    def answered(self, id, primitive):
        # A Status alone: it was not even tried.
        if primitive.tag == "SendMessageResponse" and self.unanswered.pop(id, None) is not None:
            self.ledger.answered(id, verdict(primitive.find("Status")))

    def reported(self, primitive):
        id = primitive.find("MessageInfo").get("messageID")
        status = verdict(primitive.find("DeliveryResult/Status"))
        # That it was not taken comes as a report where the client that sent it has gone.
        if status != 200 and self.unanswered.pop(id, None) is not None:
            self.ledger.answered(id, status)
            return
        self.took(("report", id, status), lambda: self.ledger.reported(id, status))

    def took(self, what, note):
        if what in self.known:
            self.ledger.recognised += 1
            return
        self.known.add(what)
        note()

    async def acknowledge(self, number):
        await asyncio.sleep(self.rng.uniform(0, 0.05))
        self.tell({"do": "ack", "number": number})

    def message(self, to, id, report):
        request = {"do": "request", "id": id, "primitive": self.primitive(to, id, report)}
        self.unanswered[id] = request
        if self.here.is_set():
            self.tell(request)

    def primitive(self, to, id, report):
        domain = self.address.split("@")[1]
        return (
            f'<SendMessageRequest deliveryReport="{"Yes" if report else "No"}">'
            f'<MetaInfo clientOriginated="Yes"><Requestor serviceID="wv:@{domain}">'
            f'<User userID="wv:{self.address}"/></Requestor></MetaInfo>'
            f'<MessageInfo messageID="{id}"><Recipient><User userID="{to}"/></Recipient></MessageInfo>'
            f'<ContentData contentType="text/plain" encoding="base64">'
            f"{base64.b64encode(id.encode()).decode()}</ContentData></SendMessageRequest>"
        )


def verdict(status):
    """The code; that of the first detail, if there is one."""
    detail = status.find("DetailedResult")
    return int((status if detail is None else detail).get("code"))


class XmppUser:
    """A user of the XMPP server, by tests/support/xmpp_user.py."""

    def __init__(self, jid, password, port, ledger):
        self.jid, self.password, self.port, self.ledger = jid, password, port, ledger
        self.process = None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "tests/support/xmpp_user.py"),
            self.jid,
            self.password,
            str(self.port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
            start_new_session=True,
        )
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), 60)
            event = json.loads(line) if line else {"event": "closed"}
            if event["event"] == "ready":
                break
            if event["event"] in ("failed", "closed"):
                raise RuntimeError(f"{self.jid} cannot log in: {event}")
        self.tell({"do": "presence"})
        self.task = asyncio.ensure_future(self.listen())

    def tell(self, command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def listen(self):
        while line := await self.process.stdout.readline():
            event = json.loads(line)
            if event["event"] == "message" and event.get("type") == "error":
                self.ledger.bounced(event["id"])
            elif event["event"] == "message" and event.get("body"):
                self.ledger.arrived(event["body"])

    def message(self, to, id, report):
        del report
        self.tell({"do": "message", "to": to, "body": id, "id": id})
        # XMPP answers nothing: what does not come back was taken.
        self.ledger.answered(id, 200)

    def stop(self):
        if self.process is not None and self.process.returncode is None:
            self.process.kill()


def pick(rng: random.Random, weighted):
    """One of (weight, thing)."""
    return rng.choices([thing for _, thing in weighted], [weight for weight, _ in weighted])[0]
