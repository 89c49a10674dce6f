"""The demo: Prosody and the four nodes of config/demo, then the scenario, hop by hop.

    world.py PROGRAM

Runs in the root of the repository; everything it writes is in run/demo. With KEEP=1 in the
environment it leaves everything running until Ctrl-C.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

DIR = Path("run/demo")
C2S_PORT = 15222
COMPONENT_PORT = 15347
# Name, port of SSP, port of /ready.
NODES = (
    ("village", 15281, 15291),
    ("relay", 15282, 15292),
    ("xmpp", 15283, 15293),
    ("town", 15284, 15294),
)
FILES_PORT = 15285
PHONES_PORT = 15286
WAKE_PORT = 15287
USERS = ("romeo", "juliet")
PATIENCE = 60.0
# As shells say it, and as the scenario ends when it is interrupted.
INTERRUPTED = 130

PICTURE = """
  alice, carol              rosa                                   romeo, juliet
       |                     |                                           |
  +---------+   SSP/TLS  +-------+   SSP/TLS   +---------+  XEP-0114  +---------+
  | village | ---------- | relay | ----------- |  xmpp   | ---------- | Prosody |
  +---------+            +-------+             +---------+            +---------+
  village.test           relay.test       gateway of xmpp.test         xmpp.test
                             |
                         +-------+
                         | town  |  town.test
                         +-------+
                             |
                           dora
"""


class Trouble(Exception):
    """The demo cannot go on."""


class World:
    def __init__(self, program):
        self.program = program
        # Left running for somebody to join in: the end is wanted then.
        self.is_done = False
        self.running = []

    def start(self, name, command):
        log = DIR / f"{name}.log"
        with open(log, "wb") as output:
            # A group of its own: Ctrl-C reaches this program alone, which then ends the others.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append((name, process))
        return process

    def wait(self, name, process, what, ready):
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None:
                raise Trouble(f"{name} ended with {process.returncode} before {what}")
            if time.monotonic() > deadline:
                raise Trouble(f"{name}: no {what} within {PATIENCE:.0f} s")
            time.sleep(0.1)

    def prosody(self):
        folder = (DIR / "prosody").resolve()
        folder.mkdir()
        text = Path("config/prosody/prosody.cfg.lua.in").read_text()
        for key, value in (
            ("DIR", folder),
            ("C2S_PORT", C2S_PORT),
            ("COMPONENT_PORT", COMPONENT_PORT),
        ):
            text = text.replace(f"@{key}@", str(value))
        (folder / "prosody.cfg.lua").write_text(text)
        (folder / "hosts.cfg.lua").write_text(
            'VirtualHost "xmpp.test"\n'
            'Component "village.test"\n\tcomponent_secret = "demo"\n'
            'Component "conference.xmpp.test" "muc"\n'
        )
        accounts = folder / "data" / "xmpp%2etest" / "accounts"
        accounts.mkdir(parents=True)
        for user in USERS:
            (accounts / f"{user}.dat").write_text(f'return {{ ["password"] = "{user}" }};\n')
        command = ["prosody", "-F", "--config", str(folder / "prosody.cfg.lua")]
        process = self.start("prosody-output", command)
        for port in (C2S_PORT, COMPONENT_PORT):
            self.wait("Prosody", process, f"listener on port {port}", lambda: is_open(port))

    def certificates(self):
        names = ["village.test", "relay.test", "xmpp.test", "town.test"]
        command = [self.program, "certs", str(DIR / "certs"), *names]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise Trouble(f"no certificates: {result.stderr.strip()}")

    def nodes(self):
        started = []
        for name, _, ready_port in NODES:
            process = self.start(name, [self.program, "run", "--config", config(name)])
            started.append((name, process, ready_port))
        for name, process, port in started:
            self.wait(name, process, "readiness", lambda: is_ready(port))

    def scenario(self):
        command = [sys.executable, "scripts/demo/scenario.py", "--wvgate", self.program]
        for name, _, _ in NODES:
            command += [f"--{name}", config(name)]
        command += ["--c2s-port", str(C2S_PORT)]
        command += ["--phones", f"http://127.0.0.1:{PHONES_PORT}/"]
        return subprocess.run(command).returncode

    def logs(self):
        files = [(name, DIR / f"{name}.log") for name, _, _ in NODES]
        files.append(("prosody", DIR / "prosody" / "prosody.log"))
        for name, file in files:
            if file.exists():
                lines = file.read_text(errors="replace").splitlines()[-25:]
                print(f"\n--- the last lines of {file}\n" + "\n".join(lines))

    def stop(self):
        # A second Ctrl-C would leave something running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for _, process in reversed(self.running):
            if process.poll() is None:
                process.terminate()
        for name, process in reversed(self.running):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                print(f"{name} does not end, it is killed", file=sys.stderr)
                process.kill()
                process.wait()


def config(name):
    return f"config/demo/{name}.toml"


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def play(world):
    taken = [C2S_PORT, COMPONENT_PORT, FILES_PORT, PHONES_PORT, WAKE_PORT]
    taken += [port for _, ssp, ready in NODES for port in (ssp, ready)]
    taken = [port for port in taken if is_open(port)]
    if taken:
        raise Trouble(
            "something listens already on 127.0.0.1, port "
            + ", ".join(map(str, taken))
            + ": is another demo running?"
        )
    shutil.rmtree(DIR, ignore_errors=True)
    DIR.mkdir(parents=True)
    print(PICTURE)
    print("starting Prosody and four nodes ...", flush=True)
    world.certificates()
    world.prosody()
    world.nodes()
    print(f"all ready; their logs are in {DIR}/\n", flush=True)
    code = world.scenario()
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    world.is_done = code == 0
    if code != 0:
        raise Trouble("the scenario failed, see above")
    if os.environ.get("KEEP", "") not in ("", "0"):
        print(KEPT.format(program=world.program, port=C2S_PORT), flush=True)
        while True:
            signal.pause()


KEPT = """
Everything is left running. Join in:

  in another terminal         {program} chat alice --config config/demo/village.toml
                              (password: alice; carol is there too, and dora in town.toml)
  with any XMPP client        juliet@xmpp.test, password juliet, host 127.0.0.1, port {port},
                              no encryption; romeo, password romeo, is there too
  with a phone, or the like   http://127.0.0.1:15286/, user carol, password carol: docs/clients.md
  look at a node              {program} status --config config/demo/relay.toml
  watch the messages pass     {program} trace --config config/demo/relay.toml

Ctrl-C ends it all."""


def main():
    world = World(sys.argv[1])
    # Also where a shell has started it in the background, and let it ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        play(world)
        code = 0
    except Trouble as trouble:
        print(f"\nthe demo failed: {trouble}", file=sys.stderr, flush=True)
        # Without any of it running, the logs there are are another demo's.
        if world.running:
            world.logs()
        code = 1
    except KeyboardInterrupt:
        print("\nstopping what was started ...", flush=True)
        code = 0 if world.is_done else INTERRUPTED
    finally:
        world.stop()
    sys.exit(code)


if __name__ == "__main__":
    main()
