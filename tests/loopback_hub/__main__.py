"""Start a Hub on this machine and say how to talk to it."""

import argparse
import sys
import threading

from .server import LoopbackHub


def main() -> None:
    """Serve until interrupted; everything is forgotten at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.loopback_hub", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    arguments = parser.parse_args()
    with LoopbackHub(port=arguments.port, log=sys.stderr) as hub:
        settings = " ".join(f"{name}={value}" for name, value in hub.environment("hf_writer").items())
        print(f"A Hub of user 'ada' at {hub.url}, forgotten when it stops (Ctrl-C). Talk to it from another terminal:")
        print(f"  export {settings}")
        print("  hf-mri publish BUNDLE ada/my-model")
        print("The token hf_reader may read only, hf_other belongs to user 'bob'.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
