"""One process or several: `torchrun` and `accelerate launch` start them, and here they agree."""

import os
from typing import Any

import torch
from accelerate import PartialState
from torch import distributed


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this is the process that writes and shows."""
    return int(os.environ.get("RANK", "0")) == 0


def start() -> None:
    """Meet the others, if there are any, before anything is read or written."""
    PartialState(cpu=not torch.cuda.is_available())


def wait_for_all() -> None:
    """Go on when all have come here."""
    if processes() > 1:
        PartialState().wait_for_everyone()


def told_by_main(value: Any) -> Any:
    """The main process's value, in all of them."""
    if processes() == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values, src=0)
    return values[0]


def any_says(yes: bool) -> bool:  # noqa: FBT001 - the one thing that is asked
    """Whether some process says yes, in all of them."""
    if processes() == 1:
        return yes
    told: list[bool] = [False] * processes()
    distributed.all_gather_object(told, yes)
    return any(told)
