"""Publishes messages that no good client would, and that RabbitMQ passes on nevertheless.

usage: hostile.py AMQP_URL EXCHANGE BODY

Each message has the header UUID, named as what is wrong with it, but for those whose headers cannot be read.
"""

import sys
import threading

import pika


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def publish():
    url, exchange, body = sys.argv[1:]
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()

    def send(uuid, headers=None, key="request", content_type="application/json"):
        headers = dict(headers or {}, UUID=uuid)
        properties = pika.BasicProperties(content_type=content_type, headers=headers)
        channel.basic_publish(exchange, key, body, properties)

    for depth in (40, 2000, 10000, 20000):
        send("deep %d" % depth, {"deep": nested(depth)})
    # Together longer than a frame that the client accepts, if not for the broker.
    for length in range(130880, 131000, 8):
        send("long %d" % length, {"x": "x" * length})
    # Nothing that could carry its answer.
    send("u" * 130500)
    send("header name", {b"N\xe1zev": "x"})
    send("content type", content_type=b"te\xe1xt")
    send("routing key", key=b"k\xe1.request")
    send("good")
    connection.close()


sys.setrecursionlimit(200000)
threading.stack_size(512 * 1024 * 1024)
thread = threading.Thread(target=publish)
thread.start()
thread.join()
