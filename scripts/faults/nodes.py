"""The three nodes and the XMPP server: configuration, life and death."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """A wvgate in a process of its own."""

    def __init__(self, program, folder, domain):
        self.program, self.domain = program, domain
        self.folder = folder / domain
        self.folder.mkdir(parents=True)
        self.port, self.admin = free_port(), free_port()
        self.socket = self.folder / "wvgate.sock"
        self.process = None
        self.kills = 0
        self.stops = 0

    def configure(self, sections, relaxed):
        (self.folder / "mappings/dialects").mkdir(parents=True)
        # Repetitions without the long pauses that the world outside deserves.
        (self.folder / "mappings/dialects/wvgate.toml").write_text("retry_step = 200\n")
        if relaxed:
            sections = re.sub(r"(?m)^\[\[peer\]\]$", '[[peer]]\ndurability = "relaxed"', sections)
        (self.folder / "wvgate.toml").write_text(f"""
[node]
domain = "{self.domain}"
data = "{self.folder}/data"
mappings = "{self.folder}/mappings"
[log]
level = "info"
[admin]
socket = "{self.socket}"
listen = "127.0.0.1:{self.admin}"
[ssp]
listen = "127.0.0.1:{self.port}"
plain = true
response_timeout = "5s"
{sections}
""")

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [self.program, "run", "--config", str(self.folder / "wvgate.toml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.stops += 1

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    async def ready(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                tail = (self.folder / "log").read_text(errors="replace").splitlines()[-5:]
                raise RuntimeError(f"{self.domain} ended by itself:\n" + "\n".join(tail))
            if await asyncio.to_thread(self.is_ready):
                return
            await asyncio.sleep(0.1)
        raise RuntimeError(f"{self.domain} is not ready within {PATIENCE} s")

    def is_ready(self):
        try:
            url = f"http://127.0.0.1:{self.admin}/ready"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def accounts(self):
        """Messages accepted, ended, and still open; None if it does not say."""
        try:
            url = f"http://127.0.0.1:{self.admin}/metrics"
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None

        def total(name):
            lines = re.findall(rf"(?m)^{name}(?:{{[^}}]*}})? (\S+)$", text)
            return sum(int(float(value)) for value in lines)

        waiting = total("wvgate_messages_queued") + total("wvgate_messages_offline")
        return total("wvgate_messages_accepted_total"), total("wvgate_messages_ended_total"), waiting

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            self.process.kill()
            self.process.wait()


class Prosody:
    """A private XMPP server with the user romeo@xmpp.test and a component."""

    def __init__(self, folder, components, secret):
        self.folder = (folder / "prosody").resolve()
        self.c2s, self.component = free_port(), free_port()
        accounts = self.folder / "data/xmpp%2etest/accounts"
        accounts.mkdir(parents=True)
        (accounts / "romeo.dat").write_text('return { ["password"] = "romeo" };\n')
        text = (ROOT / "config/prosody/prosody.cfg.lua.in").read_text()
        for key, value in (
            ("DIR", self.folder),
            ("C2S_PORT", self.c2s),
            ("COMPONENT_PORT", self.component),
        ):
            text = text.replace(f"@{key}@", str(value))
        (self.folder / "prosody.cfg.lua").write_text(text)
        hosts = 'VirtualHost "xmpp.test"\n'
        for component in components:
            hosts += f'Component "{component}"\n\tcomponent_secret = "{secret}"\n'
        (self.folder / "hosts.cfg.lua").write_text(hosts)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["prosody", "-F", "--config", str(self.folder / "prosody.cfg.lua")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    async def ready(self):
        deadline = time.monotonic() + PATIENCE
        for port in (self.c2s, self.component):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.transport.abort()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise RuntimeError("Prosody does not listen") from None
                    await asyncio.sleep(0.1)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def find_program(given):
    if given:
        return given
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for kind in ("debug", "release"):
        if (target / kind / "wvgate").exists():
            return str(target / kind / "wvgate")
    raise SystemExit("there is no wvgate in the target folder; run `cargo build`, or name one with --program")
