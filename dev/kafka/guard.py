"""`guard.py OWNER_PID COMMAND…` becomes the command, and sees to it that it does not outlive its owner.

A watcher is forked off first; it waits for the end of either process through a pidfd. The kernel's parent-death
signal would be shorter, but it comes when the *thread* that started the child ends, and needs code between fork
and exec of a process with threads. A pipe would be held open by whatever else the owner forks.
"""

import os
import select
import signal
import sys


def main() -> None:
    """Fork the watcher and become the command."""
    owner_id, command = int(sys.argv[1]), sys.argv[2:]
    owner = os.pidfd_open(owner_id)
    if os.getppid() != owner_id:  # it ended before we looked, and its id may belong to another process by now
        sys.exit(f"the owner {owner_id} has ended already")
    ours = os.pidfd_open(os.getpid())  # stays valid when we become the command
    if os.fork() == 0:
        _watch(owner, ours)
    else:
        os.execv(command[0], command)  # noqa: S606 - to become the command, with no shell, is the point


def _watch(owner: int, command: int) -> None:
    either = select.poll()
    either.register(owner, select.POLLIN)
    either.register(command, select.POLLIN)
    ended = {descriptor for descriptor, _ in either.poll()}
    if command not in ended:
        signal.pidfd_send_signal(command, signal.SIGKILL)


if __name__ == "__main__":
    main()
