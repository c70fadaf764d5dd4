"""A loop on pika's BlockingConnection as the original daemons had it: consume without a prefetch limit, turn JSON into a
record and the answer's record into JSON, answer without confirms, acknowledge, one request after the other."""

import json
import time
from collections import namedtuple

import pika

from echo_job import PAUSE, URL

Echo = namedtuple("Echo", ["text"])
Echoed = namedtuple("Echoed", ["text"])
RECORDS = {"Echo": Echo}


def from_json(value):
    """The records within a JSON value, the inner ones first."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {name: from_json(member) for name, member in value.items()}
    record = members.pop("__nt_name", None)
    return RECORDS[record](**members) if record else members


def to_json(value):
    """What JSON has for a value with records in it."""
    if hasattr(value, "_asdict"):
        members = {name: to_json(member) for name, member in value._asdict().items()}
        return {"__nt_name": type(value).__name__, **members}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {name: to_json(member) for name, member in value.items()}
    return value


def react(channel, method, properties, body):
    request = from_json(json.loads(body))
    if PAUSE:
        time.sleep(PAUSE)
    answer = json.dumps(to_json(Echoed(request.text)))
    properties = pika.BasicProperties(
        content_type="application/json", delivery_mode=1, headers={"UUID": properties.headers["UUID"]}
    )
    channel.basic_publish("echo", "result", answer, properties)
    channel.basic_ack(method.delivery_tag)


connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.basic_consume("daemon", react)
channel.start_consuming()
