"""FastStream: what a subscriber returns goes to the request's reply_to."""

import asyncio
import logging

from faststream import FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

from echo_job import PAUSE, PREFETCH, URL

broker = RabbitBroker(URL, default_channel=Channel(prefetch_count=PREFETCH), log_level=logging.DEBUG)
app = FastStream(broker)


@broker.subscriber(RabbitQueue("daemon", durable=True))
async def echo(message: dict) -> dict:
    if PAUSE:
        await asyncio.sleep(PAUSE)
    return {"__nt_name": "Echoed", "text": message["text"]}


asyncio.run(app.run(log_level=logging.WARNING))
