"""aio-pika: requests at once up to the prefetch; its channels wait for confirms by default, and that is kept."""

import asyncio
import json

import aio_pika

from echo_job import PAUSE, PREFETCH, URL


async def main():
    connection = await aio_pika.connect_robust(URL)
    channel = await connection.channel()
    await channel.set_qos(PREFETCH)
    queue = await channel.get_queue("daemon")
    output = await connection.channel()
    exchange = await output.get_exchange("echo")

    async def react(message):
        async with message.process():
            request = json.loads(message.body)
            if PAUSE:
                await asyncio.sleep(PAUSE)
            answer = json.dumps({"__nt_name": "Echoed", "text": request["text"]})
            await exchange.publish(
                aio_pika.Message(
                    answer.encode(),
                    content_type="application/json",
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    headers={"UUID": message.headers["UUID"]},
                ),
                "result",
            )

    await queue.consume(react)
    await asyncio.Future()


asyncio.run(main())
