"""Runs the pinned AWS emulator on loopback, cured of what differs from AWS in ways that would mislead us.

Usage: python emulator.py --state DIR [--port N] [--record FILE] [--keep]
Prints one JSON line {"endpoint": ...} once it answers. Ends when its standard input does: whoever started it is gone then.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import threading


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True, help="folder for everything it leaves behind")
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    parser.add_argument("--record", help="file that gets one JSON line for each request of a function or state machine")
    parser.add_argument("--keep", action="store_true", help="load state at start and save it at the end")
    return parser.parse_args()


def listen(port):
    """The listening socket, bound before the emulator loads, so that functions are told the right port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def temporary_folder(note):
    """Where functions are unpacked: outside any checkout, whose package.json and node_modules they would else see.

    The note names it, so that whoever started this can remove what a killed one leaves."""
    folder = tempfile.mkdtemp(prefix="everleaf-functions-")
    with open(note, "w") as file:
        file.write(folder)
    # What asked for it first decides, before the environment is read again.
    tempfile.tempdir = folder
    return folder


def configure(arguments, port):
    """The emulator reads its settings from the environment when it is imported."""
    state = os.path.abspath(arguments.state)
    temporary = temporary_folder(os.path.join(state, "functions"))
    os.environ.update(
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        TMPDIR=temporary,
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        LAMBDA_EXECUTOR="local",
        PERSIST_STATE="1" if arguments.keep else "0",
        S3_PERSIST="1" if arguments.keep else "0",
        STATE_DIR=os.path.join(state, "services"),
        S3_DATA_DIR=os.path.join(state, "s3"),
    )


def stop_with_parent(loop, stopped):
    """Reads standard input to its end in a thread; the pipe closes even when the parent is killed."""

    def wait():
        while sys.stdin.buffer.read(4096):
            pass
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=wait, daemon=True, name="parent").start()


async def serve(listener, port):
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack import app as emulator

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.loglevel = "INFO"
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (2, 15):
        loop.add_signal_handler(signal_number, stopped.set)
    stop_with_parent(loop, stopped)
    announcing = loop.create_task(announce(port))
    await hypercorn_serve(emulator.app, config, shutdown_trigger=stopped.wait)
    announcing.cancel()


async def announce(port):
    """Says where it listens once it answers."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /_ministack/health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            answer = await reader.readline()
            writer.close()
            if b" 200 " in answer:
                break
        except OSError:
            pass
        await asyncio.sleep(0.05)
    print(json.dumps({"endpoint": f"http://127.0.0.1:{port}", "pid": os.getpid()}), flush=True)


def main():
    arguments = parse_arguments()
    try:
        listener = listen(arguments.port)
    except OSError as error:
        sys.exit(f"port {arguments.port} on 127.0.0.1 is taken: {error.strerror}")
    port = listener.getsockname()[1]
    configure(arguments, port)
    from emulator_cures import apply_cures

    apply_cures()
    if arguments.record:
        from emulator_record import record_to

        record_to(arguments.record)
    try:
        asyncio.run(serve(listener, port))
    finally:
        from ministack.core import lambda_runtime

        lambda_runtime.reset()
        shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    # Daemon threads of the emulator must not hold the end back.
    sys.stdout.flush()
    os._exit(0)


main()
