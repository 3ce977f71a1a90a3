"""A gRPC server whose messages are plain bytes, told how by one JSON object.

`Echo` gives the message back, `Drip` gives a kilobyte of a stream that does not go on, `Sleep` does not answer. It tells of
what is slow, so that something can be done meanwhile.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

asked = json.loads(sys.argv[1])


def tell(context):
    # `ipv6:%5B::1%5D:4000`
    peer = context.peer().split(":", 1)[1].replace("%5B", "[").replace("%5D", "]")
    print(json.dumps({"event": "request", "peer": peer}), flush=True)


def echo(message, context):
    return message


def drip(message, context):
    tell(context)
    yield b"x" * 1000
    time.sleep(60)


def sleep(message, context):
    tell(context)
    time.sleep(60)


methods = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Drip": grpc.unary_stream_rpc_method_handler(drip),
    "Sleep": grpc.unary_unary_rpc_method_handler(sleep),
}
server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_connection_idle_ms", asked["idle"])])
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("lab.Lab", methods)])
server.add_insecure_port(asked["listen"])
server.start()
server.wait_for_termination()
