"""A loop on pika's BlockingConnection as simple daemons have it: consume without a prefetch limit, answer without
confirms, acknowledge, one request after the other."""

import json
import time

import pika

from echo_job import PAUSE, URL


def react(channel, method, properties, body):
    request = json.loads(body)
    if PAUSE:
        time.sleep(PAUSE)
    answer = json.dumps({"__nt_name": "Echoed", "text": request["text"]})
    properties = pika.BasicProperties(
        content_type="application/json", delivery_mode=1, headers={"UUID": properties.headers["UUID"]}
    )
    channel.basic_publish("echo", "result", answer, properties)
    channel.basic_ack(method.delivery_tag)


connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.basic_consume("daemon", react)
channel.start_consuming()
