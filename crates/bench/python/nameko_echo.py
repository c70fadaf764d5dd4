"""nameko: service `echo`, method `echo`, as many workers as requests at once."""

import eventlet

eventlet.monkey_patch()

from nameko.containers import ServiceContainer  # noqa: E402
from nameko.rpc import rpc  # noqa: E402

from echo_job import PAUSE, PREFETCH, URL  # noqa: E402


class Service:
    name = "echo"

    @rpc
    def echo(self, text):
        if PAUSE:
            eventlet.sleep(PAUSE)
        return text


container = ServiceContainer(Service, {"AMQP_URI": URL, "max_workers": PREFETCH, "HEARTBEAT": 0})
container.start()
container.wait()
