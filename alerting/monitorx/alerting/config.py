"""
Who is told what: the `route` and `receivers` of a file, in Alertmanager's words.

Takes a document; gives the routing tree and each receiver's channels, or says all that is wrong with them. Without
either key alerts are kept and shown, and nobody is told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path

from monitorx.alerting.channel.channel import Channel, ChannelType
from monitorx.alerting.document import Node, Problems, Section, read
from monitorx.alerting.route import Route, read_route

_SUFFIX = "_configs"


@dataclass(frozen=True, slots=True)
class Integration:
    """
    One channel of one receiver.

    Attributes:
        id: `ops/webhook[0]`: the receiver, the kind of channel, its place in the list.
        send_resolved: True if it also hears of what is over.
        connect: Makes the channel.
    """

    id: str
    send_resolved: bool
    connect: Callable[[], Channel]


@dataclass(frozen=True, slots=True)
class AlertingConfig:
    """
    Who is told what.

    Attributes:
        route: The top of the tree; None if nobody is told anything.
        receivers: Each receiver's channels, by its name.
    """

    route: Route | None = None
    receivers: Mapping[str, tuple[Integration, ...]] = field(default_factory=dict)

    def channels(self) -> dict[str, Channel]:
        """A channel for every integration, by its id; nothing is connected yet."""
        return {it.id: it.connect() for integrations in self.receivers.values() for it in integrations}


def load(path: Path) -> AlertingConfig:
    """
    The routes and receivers in the file at *path*.

    Raises:
        DocumentError: With all that is wrong, by file, line and key.
    """
    problems = Problems()
    config = parse(read(path), problems)
    problems.check()
    return config


def parse(root: Node, problems: Problems, kinds: Mapping[str, ChannelType] | None = None) -> AlertingConfig:
    """
    The routes and receivers of a document.

    Args:
        root: The whole document; other keys than `route` and `receivers` are others' to read.
        problems: Where to say what is wrong.
        kinds: The kinds of channels there are; those installed if None.
    """
    route, receivers = root.items().get("route"), root.items().get("receivers")
    named = {} if receivers is None else _receivers(root, problems, installed() if kinds is None else kinds)
    if route is None:
        if receivers is not None:
            problems.add(receivers, "nobody would be told: there is no route; add `route: {receiver: NAME}`")
        return AlertingConfig(None, named)
    return AlertingConfig(read_route(route, problems, named), named)


@cache
def installed() -> Mapping[str, ChannelType]:
    """The kinds of channels that are installed, by name."""
    return {entry.name: entry.load() for entry in entry_points(group="monitorx.channels")}


def _receivers(root: Node, problems: Problems, kinds: Mapping[str, ChannelType]) -> dict[str, tuple[Integration, ...]]:
    document = Section(root, Problems(), root.items().keys())
    named: dict[str, tuple[Integration, ...]] = {}
    for node in document.elements("receivers"):
        section = Section(node, problems, {"name", *(kind + _SUFFIX for kind in kinds)})
        name = section.text("name")
        if name in named:
            problems.add(section.place("name"), f"two receivers are named {name!r}")
        named[name] = tuple(_integrations(section, name, problems, kinds))
    return named


def _integrations(
    section: Section, receiver: str, problems: Problems, kinds: Mapping[str, ChannelType]
) -> list[Integration]:
    integrations = []
    for kind, channel in kinds.items():
        for index, node in enumerate(section.elements(kind + _SUFFIX)):
            config = channel.read(node, problems)
            connect = partial(channel, config)
            integrations.append(Integration(f"{receiver}/{kind}[{index}]", config.send_resolved, connect))
    return integrations
