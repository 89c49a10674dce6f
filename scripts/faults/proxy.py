"""A TCP way to one listener that fails as told."""

import asyncio
import random

CHUNK = 16 * 1024


class Proxy:
    """Listens on a port of its own and passes bytes to `target`.

    `fault` is what happens now: None (bytes pass), "refuse" (connections are closed, new ones at
    once), "hold" (bytes wait), "cut" (of the next answer half comes, then the connection ends),
    "hole" (what comes goes nowhere, and the connections are reset when it is over).
    """

    def __init__(self, target):
        self.target = target
        self.port = None
        self.fault = None
        self.changed = asyncio.Event()
        self.connections = set()
        self.faults = 0
        self.tasks = set()

    async def start(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    def set(self, fault):
        if self.fault == "hole" or fault == "refuse":
            for writer in list(self.connections):
                writer.transport.abort()
        if fault is not None:
            self.faults += 1
        self.fault = fault
        self.changed.set()
        self.changed = asyncio.Event()

    async def accept(self, reader, writer):
        if self.fault == "refuse":
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.connections |= {writer, back}
        try:
            await asyncio.gather(
                self.copy(reader, back, False), self.copy(there, writer, True)
            )
        except asyncio.CancelledError:
            # The campaign is over.
            pass
        finally:
            for end in (writer, back):
                self.connections.discard(end)
                end.transport.abort()

    async def copy(self, reader, writer, is_answer):
        try:
            while data := await reader.read(CHUNK):
                while self.fault == "hold":
                    await self.changed.wait()
                if self.fault == "hole":
                    continue
                if self.fault == "cut" and is_answer:
                    writer.write(data[: random.randrange(len(data))])
                    await writer.drain()
                    break
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        # One direction that ends takes the other along.
        writer.transport.abort()
