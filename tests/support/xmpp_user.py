"""A scriptable XMPP user for the tests and the demo.

    xmpp_user.py JID PASSWORD PORT

Logs in to 127.0.0.1:PORT without TLS. Reads one JSON object per line from standard input and
prints one JSON object per line for everything that happens. Commands, by "do":

    message      to, body, [id], [type], [receipt: ask for one], [thread]
    presence     [to], [type], [show], [status], [priority]
    subscribe, subscribed, unsubscribe, unsubscribed, probe     to
    roster       -> {"event": "roster", "items": {jid: {"subscription", "name"}}}
    disco_info   to, [id]   -> iq event
    ping         to, [id]   -> iq event
    version      to, [id]   -> iq event
    raw          xml: written to the stream as it is
    receipts     on: true or false; answer requests for receipts (default: true)
    quit

Events, by "event": ready, message, receipt, presence (with type available, unavailable,
subscribe, ...), iq (a result or error), roster, failed (with why), closed.
"""

import asyncio
import json
import sys

import slixmpp
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

CLIENT = "{jabber:client}"
RECEIPTS = "urn:xmpp:receipts"
SUBSCRIPTION = ("subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe")


def emit(event, **fields):
    fields = {key: value for key, value in fields.items() if value not in (None, "")}
    print(json.dumps({"event": event, **fields}), flush=True)


def error_of(xml):
    error = xml.find(CLIENT + "error")
    if error is None:
        return None
    for child in error:
        if not child.tag.endswith("}text"):
            return child.tag.partition("}")[2]
    return "undefined-condition"


def header(xml):
    return {name: xml.get(name) for name in ("from", "to", "id", "type")}


class User(slixmpp.ClientXMPP):
    def __init__(self, jid, password):
        super().__init__(jid, password)
        self.enable_starttls = False
        self.enable_direct_tls = False
        self.enable_plaintext = True
        self.plugin["feature_mechanisms"].unencrypted_plain = True
        self.plugin["feature_mechanisms"].unencrypted_scram = True
        self.auto_authorize = None
        self.auto_subscribe = None
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = None
        self.receipts = True
        self.register_plugin("xep_0030")
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("failed_all_auth", lambda _: emit("failed", why="login refused"))
        self.add_event_handler("connection_failed", lambda why: emit("failed", why=str(why)))
        self.add_event_handler("disconnected", lambda why: emit("closed", why=str(why)))
        for name, handler in (
            ("message", self.on_message),
            ("presence", self.on_presence),
            ("iq", self.on_iq),
        ):
            self.register_handler(Callback("script " + name, MatchXPath(CLIENT + name), handler))

    def on_start(self, _):
        emit("ready", jid=self.boundjid.full)

    def on_message(self, stanza):
        xml = stanza.xml
        receipt = xml.find("{%s}received" % RECEIPTS)
        if receipt is not None:
            emit("receipt", of=receipt.get("id"), **header(xml))
            return
        asked = xml.find("{%s}request" % RECEIPTS) is not None
        emit(
            "message",
            body=xml.findtext(CLIENT + "body"),
            subject=xml.findtext(CLIENT + "subject"),
            error=error_of(xml),
            receipt=asked or None,
            xml=str(stanza),
            **header(xml),
        )
        if asked and self.receipts and xml.get("type") != "error" and xml.get("id"):
            answer = self.make_message(mto=xml.get("from"), mtype=xml.get("type") or "normal")
            answer.append(ET.Element("{%s}received" % RECEIPTS, {"id": xml.get("id")}))
            answer.send()

    def on_presence(self, stanza):
        xml = stanza.xml
        fields = header(xml)
        fields["type"] = fields["type"] or "available"
        emit(
            "presence",
            show=xml.findtext(CLIENT + "show"),
            status=xml.findtext(CLIENT + "status"),
            error=error_of(xml),
            xml=str(stanza),
            **fields,
        )

    def on_iq(self, stanza):
        xml = stanza.xml
        if xml.get("type") in ("result", "error"):
            emit("iq", error=error_of(xml), xml=str(stanza), **header(xml))

    def ask(self, command, namespace, name):
        iq = self.make_iq_get(ito=command["to"])
        if "id" in command:
            iq["id"] = command["id"]
        iq.append(ET.Element("{%s}%s" % (namespace, name)))
        self.send(iq)

    async def obey(self, command):
        what = command["do"]
        if what == "message":
            message = self.make_message(
                mto=command["to"], mbody=command.get("body"), mtype=command.get("type", "chat")
            )
            if "id" in command:
                message["id"] = command["id"]
            if "thread" in command:
                message["thread"] = command["thread"]
            if command.get("receipt"):
                message.append(ET.Element("{%s}request" % RECEIPTS))
            message.send()
        elif what == "presence":
            self.send_presence(
                pto=command.get("to"),
                ptype=command.get("type"),
                pshow=command.get("show"),
                pstatus=command.get("status"),
                ppriority=command.get("priority"),
            )
        elif what in SUBSCRIPTION:
            self.send_presence(pto=command["to"], ptype=what)
        elif what == "roster":
            result = await self.get_roster()
            items = {
                str(jid): {"subscription": item["subscription"], "name": item["name"]}
                for jid, item in result["roster"]["items"].items()
            }
            print(json.dumps({"event": "roster", "items": items}), flush=True)
        elif what == "disco_info":
            self.ask(command, "http://jabber.org/protocol/disco#info", "query")
        elif what == "ping":
            self.ask(command, "urn:xmpp:ping", "ping")
        elif what == "version":
            self.ask(command, "jabber:iq:version", "query")
        elif what == "raw":
            self.send_raw(command["xml"])
        elif what == "receipts":
            self.receipts = bool(command["on"])
        elif what == "quit":
            await self.disconnect()
            return False
        else:
            emit("failed", why="unknown command %r" % what)
        return True


async def main():
    jid, password, port = sys.argv[1:4]
    user = User(jid, password)
    user.connect("127.0.0.1", int(port))
    reader = asyncio.StreamReader(limit=4 * 1024 * 1024)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            if not await user.obey(json.loads(line)):
                return
        except Exception as error:  # the script goes on; the test sees what went wrong
            emit("failed", why="%s: %s" % (type(error).__name__, error))
    await user.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
