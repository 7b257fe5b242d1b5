# SPDX-License-Identifier: Apache-2.0
"""A TCP relay on loopback that passes bytes on late, as a network does."""

import asyncio
import threading

MOST_BYTES_AT_ONCE = 1 << 16


class Relay:
    """Relays connections to `target`, HOST:PORT; each byte takes `delay` seconds, either way."""

    def __init__(self, target: str, delay: float):
        self.host, port = target.rsplit(":", 1)
        self.port = int(port)
        self.delay = delay
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> "Relay":
        self.thread.start()
        self.server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind, value, trace) -> None:
        self._run(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout=20)

    async def _end(self) -> None:
        self.server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))

    async def _pass_on(self, reader, writer) -> None:
        """What comes in goes on `delay` later, the end of the stream too."""
        on_their_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await on_their_way.get()
                await asyncio.sleep(max(0, due - self.loop.time()))
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        delivery = asyncio.create_task(deliver())
        try:
            data = b"-"
            while data:
                data = await reader.read(MOST_BYTES_AT_ONCE)
                on_their_way.put_nowait((self.loop.time() + self.delay, data))
            await delivery
        except OSError:
            pass
        finally:
            delivery.cancel()
            writer.close()
