"""What Wireless Village users and an XMPP user do with each other, checked step by step.

    scenario.py --wvgate PROGRAM --village CONFIG --relay CONFIG --xmpp CONFIG --town CONFIG
                --c2s-port PORT --phones URL

The four nodes and the XMPP server run already; they are those of config/demo, or the like
on other ports. romeo@xmpp.test is an XMPP client (tests/support/xmpp_user.py), alice of
village.test, rosa of relay.test and dora of town.test are clients of their home domains
(`wvgate chat alice --json`), and carol of village.test has a phone (phone.py), which reaches
the access point at URL.

Prints a line per step, `ok N what happened`, and below it the hops of the message as the
nodes saw them. Ends with 1 at the first thing that does not happen in time, and says which.
`make demo` and the tests run the same file.
"""

import argparse
import base64
import json
import os
import queue
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path
from xml.sax.saxutils import quoteattr

from phone import Phone, PhoneTrouble, Wbxml, Xml

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
# As shells say it.
INTERRUPTED = 130
ALICE = "wv:alice@village.test"
ROSA = "wv:rosa@relay.test"
DORA = "wv:dora@town.test"
CLUB = "wv:alice/club@village.test"
PICTURE = b"\x89PNG\r\n\x1a\n a picture of the village"
ROMEO = "wv:romeo@xmpp.test"
ALICE_JID = "alice@village.test"
ROMEO_JID = "romeo@xmpp.test"
CAROL = "wv:carol@village.test"
CAROL_JID = "carol@village.test"


class Failed(Exception):
    """Something that should have happened did not."""


class Actor:
    """A process that takes one JSON command per line and tells one JSON event per line."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.seen = []
        self.events = queue.Queue()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=os.getcwd(),
            # A group of its own: Ctrl-C reaches this program alone, which then ends the others.
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            line = line.strip()
            if not line:
                continue
            try:
                for event in self.read(json.loads(line)):
                    self.events.put(event)
            except ValueError:
                self.events.put({"event": "unreadable", "line": line})
        self.events.put(None)

    def read(self, line):
        """The events that a line tells."""
        return [line]

    def tell(self, **command):
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failed(f"{self.name} has ended: {error}") from error

    def wait(self, what, wanted):
        """The first event, past or coming, that `wanted` accepts; the others are kept."""
        for at, event in enumerate(self.seen):
            if wanted(event):
                return self.seen.pop(at)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failed(f"{self.name} did not see {what}; {self.account()}") from None
            if event is None:
                raise Failed(f"{self.name} ended before it saw {what}; {self.account()}")
            if wanted(event):
                return event
            self.seen.append(event)

    def account(self):
        if not self.seen:
            return "it saw nothing else"
        lines = [json.dumps(event) for event in self.seen[-12:]]
        return "it saw instead:\n    " + "\n    ".join(lines)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class HomeUser(Actor):
    """`wvgate chat --json`: its lines carry primitives as XML. What is told of them here is flat."""

    def __init__(self, name, address, command, environment):
        self.address = address
        self.presences = {}
        super().__init__(name, command, environment)

    def request(self, id, name, attributes="", children=""):
        domain = self.address.split("@")[1]
        meta = (
            f'<MetaInfo clientOriginated="Yes"><Requestor serviceID="wv:@{domain}">'
            f'<User userID="{self.address}"/></Requestor></MetaInfo>'
        )
        primitive = f"<{name}{attributes}>{meta}{children}</{name}>"
        self.tell(do="request", id=id, primitive=primitive)

    def subscribe(self, user):
        self.request("subscribe", "SubscribeRequest", children=f"<UserID userID={quoteattr(user)}/>")

    def authorize(self, user):
        attributes = f' userID={quoteattr(user)} acceptance="Yes"'
        self.request("authorize", "PresenceAuthUserRequest", attributes)

    def status_text(self, text):
        value = f"<Qualifier>T</Qualifier><PresenceValue>{text}</PresenceValue>"
        self.request(
            "presence",
            "UpdatePresenceRequest",
            children=f"<PresenceValue userID={quoteattr(self.address)}><PresenceSubList>"
            f"<StatusText>{value}</StatusText></PresenceSubList></PresenceValue>",
        )

    def create_group(self, group, topic):
        self.request(
            "create",
            "CreateGroupRequest",
            f' groupID={quoteattr(group)} joinGroup="Yes" subscribeNotif="Yes"',
            f"<GroupProperties><Property><Name>Topic</Name><Value>{topic}</Value></Property>"
            "</GroupProperties>",
        )

    def join(self, group, name):
        self.request(
            "join",
            "JoinGroupRequest",
            f' groupID={quoteattr(group)} subscribeNotif="Yes"',
            f"<ScreenName groupID={quoteattr(group)}>{name}</ScreenName>",
        )

    def invite(self, id, kind, to, note, url=None):
        content = f"<ContentIDList><ContentID url={quoteattr(url)}/></ContentIDList>" if url else ""
        self.request(
            id,
            "InviteRequest",
            f' inviteID={quoteattr(id)} inviteType="{kind}" validity="600"',
            f"<Inviting><User userID={quoteattr(self.address)}/></Inviting>"
            f"<Invited><User userID={quoteattr(to)}/></Invited>"
            f"{content}<InviteNote>{note}</InviteNote>",
        )

    def accept(self, id, inviter, note):
        self.request(
            f"accept-{id}",
            "InviteResponse",
            f' inviteID={quoteattr(id)} acceptance="Yes"',
            f'<Status code="200"/><Inviting><User userID={quoteattr(inviter)}/></Inviting>'
            f"<Responding><User userID={quoteattr(self.address)}/></Responding>"
            f"<ResponseNote>{note}</ResponseNote>",
        )

    def message(self, to, text, id, report=False):
        content = base64.b64encode(text.encode()).decode()
        who = f"<GroupID groupID={quoteattr(to)}/>" if "/" in to else f"<User userID={quoteattr(to)}/>"
        self.request(
            id,
            "SendMessageRequest",
            f' deliveryReport="{"Yes" if report else "No"}"',
            f"<MessageInfo messageID={quoteattr(id)}><Recipient>{who}"
            f'</Recipient></MessageInfo><ContentData contentType="text/plain; charset=utf-8"'
            f' encoding="base64">{content}</ContentData>',
        )

    def read(self, line):
        if "primitive" not in line:
            return [line]
        primitive = ET.fromstring(line["primitive"])
        info = primitive.find("MessageInfo")
        if primitive.tag == "SendMessageResponse":
            return [{"event": "sent", "id": line["id"], **verdict(primitive.find("Status"))}]
        if primitive.tag == "DeliveryStatusReport":
            status = verdict(primitive.find("DeliveryResult/Status"))
            return [{"event": "report", "id": info.get("messageID"), **status}]
        if primitive.tag == "NewMessage":
            user = info.find("Sender/User")
            name = info.find("Sender//ScreenName")
            sender = user.get("userID") if user is not None else name.text
            text = base64.b64decode(primitive.findtext("ContentData") or "").decode()
            return [{"event": "message", "id": info.get("messageID"), "from": sender, "text": text}]
        if primitive.tag == "InviteRequest":
            content = primitive.find("ContentIDList/ContentID")
            return [
                {
                    "event": "invited",
                    "id": primitive.get("inviteID"),
                    "kind": primitive.get("inviteType"),
                    "note": primitive.findtext("InviteNote"),
                    "url": content.get("url") if content is not None else None,
                }
            ]
        if primitive.tag == "InviteResponse":
            accepted = primitive.get("acceptance") == "Yes"
            note = primitive.findtext("ResponseNote")
            id = primitive.get("inviteID")
            return [{"event": "answered", "id": id, "accepted": accepted, "note": note}]
        if primitive.tag == "PresenceAuthRequest":
            return [{"event": "authorization_request", "user": primitive.get("userID")}]
        if primitive.tag == "PresenceNotification":
            return [self.see(value) for value in primitive.findall("PresenceValue")]
        status = primitive if primitive.tag == "Status" else primitive.find("Status")
        code = int(status.get("code")) if status is not None else None
        event, id = line["event"], line.get("id")
        return [{"event": event, "id": id, "status": code, "primitive": line["primitive"]}]

    def see(self, value):
        """All that was told of somebody's presence."""
        user = value.get("userID")
        known = self.presences.setdefault(user, {})
        for attribute in value.iterfind("*/*"):
            name = attribute.tag.rpartition("}")[2]
            children = {child.tag.rpartition("}")[2]: child.text for child in attribute}
            known[name] = children.get("PresenceValue") if children.get("Qualifier") == "T" else None
        return {
            "event": "presence",
            "user": user,
            "online": known.get("OnlineStatus") == "T",
            "availability": (known.get("UserAvailability") or "").lower(),
            "text": known.get("StatusText"),
            "mood": known.get("StatusMood"),
        }


def verdict(status):
    """Code and words of a status, or of its first detail."""
    detail = status.find("DetailedResult")
    said = status if detail is None else detail
    words = said.findtext("StatusDescription") or status.findtext("StatusDescription")
    return {"status": int(said.get("code")), "description": words or ""}


class Scenario:
    def __init__(self, options):
        self.options = options
        self.number = 0
        self.step_name = "start"
        self.run = uuid.uuid4().hex[:8]
        self.alice = None
        self.rosa = None
        self.dora = None
        self.romeo = None

    # ------------------------------------------------------------------ what is shown

    def step(self, name):
        self.step_name = name
        self.began = time.monotonic()

    def done(self):
        self.number += 1
        took = time.monotonic() - self.began
        print(f"ok {self.number:2} {self.step_name}  ({took:.1f} s)", flush=True)

    def note(self, text):
        print(f"      {text}", flush=True)

    def hops(self, message, *stanzas):
        """The way of a message over all nodes, in the order of time."""
        traces = []
        for name in ("village", "relay", "xmpp"):
            found = self.explain(name, message)
            if name == "xmpp":
                for stanza in stanzas:
                    found += self.explain(name, stanza)
            traces += [(trace["time"], at, name, trace) for at, trace in enumerate(found)]
        shown = set()
        for _, _, name, trace in sorted(traces, key=lambda entry: entry[:2]):
            arrow = {"in": "<-", "out": "->"}.get(trace["direction"], "  ")
            line = (
                f"{clock(trace['time'])}  {name:8}{arrow} {trace.get('peer', ''):13}"
                f"{trace['primitive']:22}{trace['what']}"
            )
            if trace.get("transaction"):
                line += f", transaction {trace['transaction']}"
            # The same event may be remembered under the message and under the stanza.
            if line not in shown:
                shown.add(line)
                self.note(line)

    def explain(self, node, message):
        config = getattr(self.options, node)
        command = [self.options.wvgate, "explain", message, "--format", "json"]
        command += ["--config", config]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if result.returncode != 0:
            raise Failed(f"{node} cannot explain {message}: {result.stderr.strip()}")
        traces = json.loads(result.stdout)["traces"]
        if not traces:
            raise Failed(f"{node} does not remember message {message}")
        return traces

    # ------------------------------------------------------------------ the two users

    def enter(self):
        options = self.options
        self.step("romeo logs in at his XMPP server, alice at her home domain")
        self.romeo = Actor(
            "romeo",
            [
                sys.executable,
                str(ROOT / "tests/support/xmpp_user.py"),
                ROMEO_JID,
                "romeo",
                str(options.c2s_port),
            ],
        )
        ready = self.romeo.wait("his login", lambda e: e["event"] in ("ready", "failed"))
        if ready["event"] != "ready":
            raise Failed(f"romeo cannot log in: {ready}")
        # As clients do: without the roster he would not be told of approvals (RFC 6121, 2.1.6).
        self.romeo.tell(do="roster")
        self.romeo.wait("his roster", lambda e: e["event"] == "roster")
        self.romeo.tell(do="presence")
        self.alice = self.home_user("alice", ALICE, options.village)
        self.done()

    def home_user(self, name, address, config):
        user = HomeUser(
            name,
            address,
            [self.options.wvgate, "chat", name, "--json", "--config", config],
            {"WVGATE_PASSWORD": name},
        )
        user.wait("the login", lambda e: e["event"] == "opened")
        return user

    def answered(self, user, id):
        """The answer to a request of that id, which must be yes."""
        said = user.wait(f"an answer to {id}", lambda e: e["event"] == "answer" and e["id"] == id)
        if said["status"] != 200:
            raise Failed(f"{user.name} is answered {said}")

    def neighbours_enter(self):
        self.step("rosa logs in at relay.test, dora at town.test")
        self.rosa = self.home_user("rosa", ROSA, self.options.relay)
        self.dora = self.home_user("dora", DORA, self.options.town)
        self.done()

    def three_domains_in_a_group(self):
        self.step("alice makes a group; rosa and dora join it, each from a domain of her own")
        self.alice.create_group(CLUB, "Balconies")
        self.answered(self.alice, "create")
        for user, name in ((self.rosa, "Rosie"), (self.dora, "Dory")):
            user.join(CLUB, name)
            self.answered(user, "join")
        self.done()
        self.step("what each of them says in the group the two others hear")
        members = {"alice": self.alice, "Rosie": self.rosa, "Dory": self.dora}
        for name, speaker in members.items():
            text = f"{name} was here"
            speaker.message(CLUB, text, f"club-{name}-{self.run}")
            for other, listener in members.items():
                if other != name:
                    listener.wait(
                        f"what {name} says",
                        lambda e, text=text: e["event"] == "message" and e["text"] == text,
                    )
        self.done()
        self.note("in alice/club@village.test: alice@village.test, Rosie of relay.test, Dory of town.test")

    def an_invitation(self):
        self.step("alice invites dora, two domains away, to talk; she accepts, with a word")
        id = f"talk-{self.run}"
        self.alice.invite(id, "IM", DORA, "a word at the well?")
        invited = self.dora.wait("the invitation", lambda e: e["event"] == "invited" and e["id"] == id)
        self.dora.accept(id, ALICE, "at noon")
        said = self.alice.wait("her answer", lambda e: e["event"] == "answered" and e["id"] == id)
        if not said["accepted"]:
            raise Failed(f"dora says {said}")
        self.done()
        self.note(f"dora is invited: {invited['note']}")
        self.note(f"alice is answered: yes, {said['note']}")

    def a_picture(self):
        self.step("alice shares a picture with dora, who is invited to its link and fetches it")
        id = f"picture-{self.run}"
        self.alice.tell(
            do="share", id=id, name="village.png", content_type="image/png", size=len(PICTURE)
        )
        slot = self.alice.wait("a place for the picture", lambda e: e.get("event") == "slot")
        put = urllib.request.Request(
            slot["put"], data=PICTURE, method="PUT", headers={"Content-Type": "image/png"}
        )
        urllib.request.urlopen(put, timeout=PATIENCE).close()
        self.alice.invite(id, "SC", DORA, "our village", slot["get"])
        invited = self.dora.wait("the invitation", lambda e: e["event"] == "invited" and e["id"] == id)
        with urllib.request.urlopen(invited["url"], timeout=PATIENCE) as answer:
            fetched = answer.read()
        if fetched != PICTURE:
            raise Failed(f"dora fetched {fetched!r}")
        self.done()
        self.note(f"dora fetched {len(fetched)} bytes from {invited['url']}")

    def alice_watches_romeo(self):
        self.step("alice asks to see romeo's presence; he allows it, and she sees him online")
        self.alice.subscribe(ROMEO)
        self.romeo.wait(
            "alice's subscription",
            lambda e: e["event"] == "presence"
            and e["type"] == "subscribe"
            and e["from"] == ALICE_JID,
        )
        self.romeo.tell(do="subscribed", to=ALICE_JID)
        seen = self.alice.wait(
            "romeo online",
            lambda e: e["event"] == "presence" and e["user"] == ROMEO and e.get("online"),
        )
        self.done()
        self.note(f"alice sees: {shown(seen)}")

    def romeo_goes_away(self):
        self.step("romeo goes away, and alice sees it")
        self.romeo.tell(do="presence", show="away", status="in the orchard")
        seen = self.alice.wait(
            "romeo away",
            lambda e: e["event"] == "presence"
            and e["user"] == ROMEO
            and e.get("availability") == "not_available"
            and e.get("text") == "in the orchard",
        )
        self.done()
        self.note(f"alice sees: {shown(seen)}")

    def alice_writes(self):
        self.step("alice sends romeo a message and asks for a report; he gets it")
        message = f"demo-{self.run}"
        text = "Wherefore art thou? <3 & more"
        self.alice.message(ROMEO, text, message, report=True)
        got = self.romeo.wait(
            "alice's message",
            lambda e: e["event"] == "message" and e.get("body") == text,
        )
        if bare(got["from"]) != ALICE_JID:
            raise Failed(f"the message came from {got['from']}")
        sent = self.alice.wait(
            "the answer to her message",
            lambda e: e["event"] == "sent" and e["id"] == message,
        )
        if sent["status"] != 200:
            raise Failed(f"her message was answered {sent}")
        self.done()
        self.step("the receipt of romeo's client comes back to alice as a delivery report")
        report = self.alice.wait(
            "the delivery report",
            lambda e: e["event"] == "report" and e["id"] == message,
        )
        if report["status"] != 200:
            raise Failed(f"the report says {report}")
        self.done()
        self.hops(message, got["id"])

    def romeo_answers(self):
        self.step("romeo answers and asks for a receipt; alice gets the message, he the receipt")
        text = "By a name I know not how to tell thee"
        stanza = f"stanza-{self.run}"
        self.romeo.tell(do="message", to=ALICE_JID, body=text, id=stanza, receipt=True)
        got = self.alice.wait(
            "romeo's message",
            lambda e: e["event"] == "message" and e["text"] == text,
        )
        if got["from"] != ROMEO:
            raise Failed(f"the message came from {got['from']}")
        receipt = self.romeo.wait(
            "the receipt",
            lambda e: e["event"] == "receipt" and e.get("of") == stanza,
        )
        if bare(receipt["from"]) != ALICE_JID:
            raise Failed(f"the receipt came from {receipt['from']}")
        self.done()
        self.hops(got["id"], stanza, receipt["id"])

    def romeo_watches_alice(self):
        self.step("romeo asks to see alice's presence; she allows it, and he sees her online")
        self.romeo.tell(do="subscribe", to=ALICE_JID)
        self.alice.wait(
            "romeo's wish",
            lambda e: e["event"] == "authorization_request" and e["user"] == ROMEO,
        )
        self.alice.authorize(ROMEO)
        self.romeo.wait(
            "alice's approval",
            lambda e: e["event"] == "presence"
            and e["type"] == "subscribed"
            and bare(e["from"]) == ALICE_JID,
        )
        self.romeo.wait(
            "alice online",
            lambda e: e["event"] == "presence"
            and e["type"] == "available"
            and bare(e["from"]) == ALICE_JID,
        )
        self.done()
        self.step("alice changes her status text, and romeo sees it")
        text = "on the balcony"
        self.alice.status_text(text)
        seen = self.romeo.wait(
            "alice's status text",
            lambda e: e["event"] == "presence"
            and bare(e["from"]) == ALICE_JID
            and e.get("status") == text,
        )
        self.done()
        self.note(f"romeo sees: {seen['from']}, {seen['type']}, \"{seen['status']}\"")

    def nobody_is_there(self):
        self.step("alice's message to an XMPP user who does not exist comes back as an error")
        message = f"lost-{self.run}"
        self.alice.message("wv:nobody@xmpp.test", "hello?", message)
        sent = self.alice.wait(
            "the refusal", lambda e: e["event"] == "sent" and e["id"] == message
        )
        status = sent["status"]
        # XMPP servers do not tell users that do not exist from users that are away.
        if status not in (531, 533):
            raise Failed(f"the refusal says {sent}")
        self.done()
        self.note(f"alice is told: {status} {sent.get('description', '')}".rstrip())
        if status == 533:
            self.note("(the XMPP server does not say whether he is away or does not exist)")
        self.step("romeo's message to a home-domain user who does not exist comes back as one")
        stanza = f"stray-{self.run}"
        self.romeo.tell(do="message", to="nobody@village.test", body="hello?", id=stanza)
        error = self.romeo.wait(
            "the error",
            lambda e: e["event"] == "message" and e["type"] == "error" and e.get("id") == stanza,
        )
        if error["error"] != "item-not-found":
            raise Failed(f"the error is {error['error']}")
        self.done()
        self.note(f"romeo is told: {error['error']}")

    def a_phone(self):
        for codec in (Xml(), Wbxml()):
            name = type(codec).__name__.upper()
            self.step(f"carol's phone logs in, in {name}, and opens the channel on which it is woken")
            phone = Phone(self.options.phones, CAROL, "carol", codec)
            self.done()
            self.step(f"her phone and romeo talk, and it speaks {name}")
            text = f"from my phone in {name}: <3 & more"
            message = phone.send(ROMEO, text)
            got = self.romeo.wait(
                "carol's message",
                lambda e, text=text: e["event"] == "message" and e.get("body") == text,
            )
            if bare(got["from"]) != CAROL_JID:
                raise Failed(f"the message came from {got['from']}")
            answer = f"what is {name}? \u00fc"
            stanza = f"phone-{name}-{self.run}"
            self.romeo.tell(do="message", to=CAROL_JID, body=answer, id=stanza)
            sender, heard = phone.wait(answer)
            if sender != ROMEO:
                raise Failed(f"the phone got the message of {sender}")
            self.done()
            self.hops(message, got["id"])
            self.hops(heard, stanza)
            phone.leave()
            self.note(f"her phone was told {phone.bytes} bytes of {name}")

    def play(self):
        try:
            self.enter()
            self.alice_watches_romeo()
            self.romeo_goes_away()
            self.alice_writes()
            self.romeo_answers()
            self.romeo_watches_alice()
            self.nobody_is_there()
            self.neighbours_enter()
            self.three_domains_in_a_group()
            self.an_invitation()
            self.a_picture()
            self.a_phone()
        except (Failed, PhoneTrouble) as failure:
            print(f"FAILED {self.step_name}: {failure}", flush=True)
            return 1
        except KeyboardInterrupt:
            return INTERRUPTED
        finally:
            for actor in (self.alice, self.rosa, self.dora, self.romeo):
                if actor is not None:
                    actor.end()
        print(f"all {self.number} steps done", flush=True)
        return 0


def bare(jid):
    return jid.partition("/")[0]


def clock(millis):
    return time.strftime("%H:%M:%S", time.localtime(millis / 1000)) + f".{millis % 1000:03}"


def shown(presence):
    parts = ["online" if presence.get("online") else "offline"]
    parts += [presence[key] for key in ("availability", "mood") if presence.get(key)]
    if presence.get("text"):
        parts.append(f"\"{presence['text']}\"")
    return f"{presence['user']}, " + ", ".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("wvgate", "village", "relay", "xmpp", "town"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--c2s-port", type=int, required=True)
    parser.add_argument("--phones", required=True)
    sys.exit(Scenario(parser.parse_args()).play())


if __name__ == "__main__":
    main()
