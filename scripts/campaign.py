#!/usr/bin/env python3
"""A campaign of faults against three nodes, and the books of what became of each message.

    left.test    (scripted)                                     home users: ann, ben, cem
        \\                                                            |
         +--- proxy --- relay.test --- proxy --- home.test (home domain)
        /                    \\
    right.test   (scripted)   +------- proxy --- xmpp.test (gateway) --- Prosody --- romeo

Messages go in all directions between the ends while nodes are killed (kill -9), stopped and
continued, connections are refused, held, cut and swallowed before each node, and clients of the
home domain come and go. Then everything is left to come to rest, and each message is looked for.

It prints one line of figures and ends with 0 if nothing that was promised is missing, with 1 if
something is or it could not be brought to its end, with 130 if it was ended:

  lost               taken (answered 2xx), not arrived, and nobody was told that it will not
  doubled            arrived more than once, beyond what its client recognises by its id
  repeated_by_client the same, of messages that their client sent again under their id, because it
                     had not heard the answer
  out_of_order       arrived after a later one of the same conversation
  failed_and_arrived the sender was told that it failed (504, 503, ...), and it has arrived
  unanswered         the sender never heard anything
  reports_missing    arrived, a report was asked for, and none came
  unaccounted        messages by which a node's counters do not add up
  lost_from_xmpp     the window of XEP-0114: a stanza that a killed gateway had read and not kept
  repeated_to_xmpp   the same: a stanza repeated because the server's word was lost
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from faults.clients import HomeUser, XmppUser, pick
from faults.ledger import Ledger
from faults.nodes import Node, Prosody, find_program
from faults.proxy import Proxy
from faults.ssp import Peer

# Figures that must be zero.
PROMISED = (
    "lost", "doubled", "repeated_by_client", "out_of_order", "invented", "unanswered",
    "unaccounted", "reports_missing",
)
HOME_USERS = ("ann", "ben", "cem")


def peer(domain, port, speaks_for=(), always=True):
    names = ", ".join(f'"{name}"' for name in speaks_for)
    return (
        f'[[peer]]\ndomain = "{domain}"\nurl = "http://127.0.0.1:{port}/"\nallow_plain = true\n'
        + (f"speaks_for = [{names}]\n" if names else "")
        + ('connect = "always"\n' if always else "")
    )


def route(domain, via):
    return f'[[route]]\ndomain = "{domain}"\nvia = "{via}"\n'


class Campaign:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.rng = random.Random(options.seed)
        self.ledger = Ledger()
        self.nodes, self.proxies = {}, {}
        self.sent = 0
        self.faults = 0

    async def build(self):
        # Of the nodes, which are started by this process.
        os.environ["WVGATE_CONFIG_NODE__SHARDS"] = str(self.options.shards)
        program = find_program(self.options.program)
        for domain in ("relay.test", "home.test", "xmpp.test"):
            self.nodes[domain] = Node(program, self.folder, domain)
            self.proxies[domain] = Proxy(self.nodes[domain].port)
            await self.proxies[domain].start()
        relay = self.proxies["relay.test"].port
        self.left = Peer("left.test", "relay.test", relay, self.ledger)
        self.right = Peer("right.test", "relay.test", relay, self.ledger)
        for scripted in (self.left, self.right):
            await scripted.start()
        names = ("home.test", "left.test", "right.test")
        self.prosody = Prosody(self.folder, names, "secret")
        everybody = ("left.test", "right.test", "home.test", "xmpp.test")

        def others(own):
            return [name for name in everybody if name != own]

        def behind_relay(own):
            routes = "".join(route(name, "relay.test") for name in others(own))
            return peer("relay.test", relay, others(own)) + routes

        self.nodes["relay.test"].configure(
            peer("left.test", self.left.port, always=False)
            + peer("right.test", self.right.port, always=False)
            + peer("home.test", self.proxies["home.test"].port)
            + peer("xmpp.test", self.proxies["xmpp.test"].port),
            self.options.relaxed,
        )
        users = "".join(
            f'[[home.user]]\nname = "{name}"\npassword = "{name}"\n' for name in HOME_USERS
        )
        self.nodes["home.test"].configure(
            behind_relay("home.test") + "[home]\nmax_offline = 100000\n" + users,
            self.options.relaxed,
        )
        components = "".join(
            f'[[xmpp.component]]\ndomain = "{name}"\nsecret = "secret"\n' for name in names
        )
        self.nodes["xmpp.test"].configure(
            behind_relay("xmpp.test")
            + f'[xmpp]\nserver = "127.0.0.1:{self.prosody.component}"\nsettle = "200ms"\n'
            'reconnect_max = "1s"\n' + components,
            self.options.relaxed,
        )

    async def start(self):
        await self.build()
        self.prosody.start()
        await self.prosody.ready()
        for node in self.nodes.values():
            node.start()
        for node in self.nodes.values():
            await node.ready()
        self.romeo = XmppUser("romeo@xmpp.test", "romeo", self.prosody.c2s, self.ledger)
        await self.romeo.start()
        socket = str(self.nodes["home.test"].socket)
        self.home = [
            HomeUser(name, "home.test", socket, self.ledger, self.rng) for name in HOME_USERS
        ]
        self.tasks = [asyncio.ensure_future(user.live()) for user in self.home]
        for scripted in (self.left, self.right):
            await asyncio.wait_for(scripted.up.wait(), 60)

    def stop(self):
        for task in getattr(self, "tasks", []):
            task.cancel()
        for node in self.nodes.values():
            node.stop()
        for end in ("prosody", "romeo", "left", "right"):
            if hasattr(self, end):
                getattr(self, end).stop()

    # Traffic.

    def flows(self):
        """(weight, (sender, as whom, to whom, may have a report))."""
        home = [user.address for user in self.home]
        flows = [
            (3, (self.left, "lea@left.test", "rob@right.test", True)),
            (1, (self.right, "rob@right.test", "lea@left.test", True)),
            (1, (self.left, "lou@left.test", "romeo@xmpp.test", False)),
            (1, (self.romeo, "romeo@xmpp.test", "lea@left.test", False)),
            (1, (self.romeo, "romeo@xmpp.test", home[0], False)),
        ]
        for user in self.home:
            flows += [
                (1, (self.right, "rita@right.test", user.address, True)),
                (1, (user, user.address, "rob@right.test", True)),
            ]
        flows += [
            (1, (self.home[0], home[0], "romeo@xmpp.test", False)),
            (1, (self.home[1], home[1], home[2], True)),
        ]
        return flows

    async def send_all(self):
        flows = self.flows()
        pace = self.options.seconds / self.options.messages
        start = time.monotonic()
        for number in range(self.options.messages):
            sender, own, to, reportable = pick(self.rng, flows)
            id = f"m{number}"
            report = reportable and self.rng.random() < 0.3
            self.ledger.sent(id, (own, to), report)
            if isinstance(sender, Peer):
                sender.message(own, to, id, report)
            else:
                sender.message(to, id, report)
            self.sent += 1
            ahead = start + number * pace - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)

    # Faults.

    async def disturb(self, sending):
        """Faults until everything is sent and there were as many kills as wanted."""
        kinds = [
            (3, self.kill), (1, self.freeze), (1, self.refuse), (1, self.hold), (1, self.cut),
            (1, self.hole),
        ]
        pause = self.options.seconds / max(1, self.options.kills) * 0.4
        while self.kills() < self.options.kills or not sending.done():
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * pause)
            if sending.done() and self.kills() >= self.options.kills:
                return
            domain = self.rng.choice(list(self.nodes))
            fault = pick(self.rng, kinds)
            if fault == self.kill and self.kills() >= self.options.kills:
                continue
            self.faults += 1
            await fault(domain)

    def kills(self):
        return sum(node.kills for node in self.nodes.values())

    async def kill(self, domain):
        node = self.nodes[domain]
        node.kill()
        await asyncio.sleep(self.rng.uniform(0, 1))
        node.start()
        await node.ready()

    async def freeze(self, domain):
        self.nodes[domain].freeze()
        await asyncio.sleep(self.rng.uniform(0.1, 3))
        self.nodes[domain].thaw()

    async def fault(self, domain, kind, longest):
        self.proxies[domain].set(kind)
        await asyncio.sleep(self.rng.uniform(0.1, longest))
        self.proxies[domain].set(None)

    async def refuse(self, domain):
        await self.fault(domain, "refuse", 2)

    async def hold(self, domain):
        await self.fault(domain, "hold", 2)

    async def cut(self, domain):
        await self.fault(domain, "cut", 0.5)

    async def hole(self, domain):
        await self.fault(domain, "hole", 1)

    # The end.

    async def come_to_rest(self):
        for user in self.home:
            user.staying = True
        deadline = time.monotonic() + self.options.patience
        while time.monotonic() < deadline:
            if self.ledger.settled() and self.open_messages() == 0:
                break
            await asyncio.sleep(0.5)
        # Late copies would show now.
        await asyncio.sleep(3)

    def open_messages(self):
        accounts = [node.accounts() for node in self.nodes.values()]
        return sum(account[2] if account else 1 for account in accounts)

    def verdict(self):
        verdict = self.ledger.verdict()
        unaccounted = 0
        for node in self.nodes.values():
            accounts = node.accounts()
            if accounts is None:
                raise RuntimeError(f"{node.domain} does not tell its metrics")
            accepted, ended, waiting = accounts
            unaccounted += abs(accepted - ended - waiting)
        verdict["unaccounted"] = unaccounted
        verdict["kills"] = self.kills()
        verdict["faults"] = self.faults
        verdict["visits"] = sum(user.visits for user in self.home)
        verdict["seed"] = self.options.seed
        return verdict

    async def run(self):
        await self.start()
        sending = asyncio.ensure_future(self.send_all())
        try:
            await self.disturb(sending)
            await sending
        finally:
            sending.cancel()
        await self.come_to_rest()
        return self.verdict()

    def examples(self):
        for name, messages in (
            ("lost", self.ledger.missing()),
            ("unanswered", self.ledger.unanswered()),
            ("report missing", self.ledger.reports_missing()),
            ("arrived again", [
                m for m in self.ledger.messages.values() if m.arrivals > 1
            ]),
        ):
            for message in messages[:5]:
                print(f"{name}: {message.id} of {message.pair} answered {message.answer}")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=40, help="for which messages are sent")
    parser.add_argument("--kills", type=int, default=8, help="kill -9, of all nodes together")
    parser.add_argument("--patience", type=float, default=180, help="seconds to come to rest")
    parser.add_argument("--seed", type=int, default=None, help="default: by chance")
    parser.add_argument("--relaxed", action="store_true", help='durability = "relaxed" everywhere')
    parser.add_argument("--shards", type=int, default=1, help="node.shards of all nodes")
    parser.add_argument("--program", help="the wvgate to run; default: that in the target folder")
    parser.add_argument("--keep", help="an empty folder that stays, for logs and stores")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    return options


def main():
    options = parse()
    folder = Path(options.keep or tempfile.mkdtemp(prefix="wvgate-campaign-")).resolve()
    campaign = Campaign(options, folder)
    # What ends it otherwise would leave the nodes behind.
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        verdict = asyncio.run(guarded(campaign))
    except KeyboardInterrupt:
        print(f"campaign: ended before its time; logs are in {folder}", file=sys.stderr)
        return 130
    except Exception as error:
        kind = type(error).__name__
        print(f"campaign: seed {options.seed}: {kind}: {error}; logs are in {folder}", file=sys.stderr)
        return 1
    print("campaign: " + json.dumps(verdict))
    broken = [name for name in PROMISED if verdict[name]]
    if broken:
        campaign.examples()
        print(f"broken: {', '.join(broken)}; logs are in {folder}")
        return 1
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def guarded(campaign):
    try:
        return await campaign.run()
    except Exception:
        traceback.print_exc()
        raise
    finally:
        campaign.stop()


if __name__ == "__main__":
    sys.exit(main())
