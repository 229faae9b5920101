"""A slow line to a lab: a door on this machine behind which bytes come late and no faster than they would. In the place of `tc netem`,
which not every kernel has, and which needs root.
"""

import asyncio
import contextlib
import threading

# To and fro, and bytes a second in each direction: 50 ms and 10 Mbit/s.
ROUND_TRIP = 0.05
RATE = 10e6 / 8

# So many seconds of bytes wait in it; then whoever sends has to wait too.
BUFFERED = 0.2


class Line:
    """Until its `with` ends. `port` is its door, and `carried` the bytes that went to the lab."""

    def __init__(self, address, port=22):
        self.to = address, port
        self.carried = 0
        self.loop = asyncio.new_event_loop()

    def __enter__(self):
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.connected, "127.0.0.1", 0), self.loop).result(10)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def connected(self, reader, writer):
        # The connection itself takes its round trip.
        await asyncio.sleep(ROUND_TRIP)
        there_reader, there_writer = await asyncio.open_connection(*self.to)
        await asyncio.gather(self.carry(reader, there_writer, counts=True), self.carry(there_reader, writer))

    async def carry(self, reader, writer, counts=False):
        """What was read is written when it would have arrived."""
        under_way = asyncio.Queue()
        arrival = asyncio.create_task(self.arrive(under_way, writer))
        free_at = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 14):
                if counts:
                    self.carried += len(data)
                free_at = max(free_at, self.loop.time()) + len(data) / RATE
                under_way.put_nowait((free_at + ROUND_TRIP / 2, data))
                await asyncio.sleep(free_at - self.loop.time() - BUFFERED)
        under_way.put_nowait((free_at + ROUND_TRIP / 2, None))
        await arrival

    async def arrive(self, under_way, writer):
        with contextlib.suppress(OSError):
            while True:
                at, data = await under_way.get()
                await asyncio.sleep(at - self.loop.time())
                if data is None:
                    break
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
