"""`monitorx demo`: the whole way, from unchanged scripts to an alert that arrives, on this machine in a minute."""

from monitorx.backend.demo.command import main

__all__ = ["main"]
