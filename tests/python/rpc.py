"""A caller that knows nothing of E-deposit but AMQP's own way of calling: reply_to and correlation_id.

usage: rpc.py AMQP_URL EXCHANGE queue|direct < requests.json > answers.json

Standard input is a JSON list of bodies. Answers come into a queue of the caller's own, or by RabbitMQ's direct reply-to.
Printed is a JSON list of the answers in the order of the requests, each with its properties.
"""

import json
import sys

import pika


def main():
    url, exchange, way = sys.argv[1:]
    bodies = json.load(sys.stdin)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    if way == "direct":
        reply_to = "amq.rabbitmq.reply-to"
    else:
        reply_to = channel.queue_declare("", exclusive=True).method.queue
    answers = [None] * len(bodies)

    def on_answer(_channel, method, properties, body):
        answers[int(properties.correlation_id)] = {
            "exchange": method.exchange,
            "content_type": properties.content_type,
            "headers": properties.headers,
            "body": body.decode("utf-8"),
        }

    # Direct reply-to: consume first, on the channel that publishes, without acknowledgements.
    channel.basic_consume(reply_to, on_answer, auto_ack=True)
    for number, body in enumerate(bodies):
        channel.basic_publish(
            exchange=exchange,
            routing_key="request",
            properties=pika.BasicProperties(
                content_type="application/json", reply_to=reply_to, correlation_id=str(number)
            ),
            body=body,
        )
    connection.call_later(30, lambda: sys.exit("no answer within 30 s: %r" % answers))
    while None in answers:
        connection.process_data_events(time_limit=1)
    connection.close()
    json.dump(answers, sys.stdout)


main()
