"""A caller as the deposit system has them: Python, pika, a UUID header.

usage: caller.py AMQP_URL EXCHANGE < requests.json > answers.json

Standard input is a JSON list of requests, {"body": "...", "key": "...", "headers": {...} or null}. Each is published to
the exchange, and the answers in the queue `plone` are read until each request has one. Printed is a JSON list of the
answers in the order of the requests, each with its properties.
"""

import json
import sys
import uuid

import pika


def main():
    url, exchange = sys.argv[1:]
    requests = json.load(sys.stdin)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    waiting = {}
    for number, request in enumerate(requests):
        headers = {"UUID": str(uuid.uuid4())}
        headers.update(request.get("headers") or {})
        waiting[headers["UUID"]] = number
        channel.basic_publish(
            exchange=exchange,
            routing_key=request.get("key", "request"),
            properties=pika.BasicProperties(
                content_type="application/json", delivery_mode=1, headers=headers
            ),
            body=request["body"],
        )

    answers = [None] * len(requests)
    for method, properties, body in channel.consume("plone", inactivity_timeout=30):
        if method is None:
            sys.exit("no answer within 30 s to requests %s" % sorted(waiting.values()))
        number = waiting.pop(properties.headers["UUID"])
        answers[number] = {
            "exchange": method.exchange,
            "routing_key": method.routing_key,
            "content_type": properties.content_type,
            "delivery_mode": properties.delivery_mode,
            "headers": properties.headers,
            "body": body.decode("utf-8"),
        }
        channel.basic_ack(method.delivery_tag)
        if not waiting:
            break
    connection.close()
    json.dump(answers, sys.stdout)


main()
