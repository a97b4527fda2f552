"""`python -m worker`: takes the signals, and only then imports what takes half a second."""

import signal
import sys

from worker.stop import Stop, StopAskedError, leave


def main(arguments: list[str]) -> int:
    """Run a command; a stop before anything is held ends `run` with 0, and cuts any other command short."""
    stop = Stop()
    try:
        stop.listen()
        from worker.cli import main  # noqa: PLC0415 - PID 1 would ignore SIGTERM until all of it is imported

        return main(arguments, stop)
    except StopAskedError as asked:
        if arguments[:1] == ["run"]:
            return 0
        print(f"worker: {' '.join(arguments[:1])} was ended by {asked}", file=sys.stderr)
        return 128 + asked.number
    except BrokenPipeError:
        if arguments[:1] == ["run"]:
            raise
        return 128 + signal.SIGPIPE  # the reader of the output has seen enough: `leave` is quiet about the rest


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except Exception:  # noqa: BLE001 - a bug of ours: told as ever, and ended as ever
        sys.excepthook(*sys.exc_info())
        code = 1
    leave(code)
