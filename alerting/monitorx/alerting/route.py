"""
The routing tree: which receivers hear of an alert, in what groups, and how often.

Takes the `route` of a file; gives for an alert's labels the routes that take it, with everything inherited filled in.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from monitorx.alerting.document import Node, Problems, Section, did_you_mean
from monitorx.alerting.matcher import Matcher, all_match
from monitorx.alerting.matcher import parse as parse_matcher

GROUP_WAIT = timedelta(seconds=30)
GROUP_INTERVAL = timedelta(minutes=5)
REPEAT_INTERVAL = timedelta(hours=4)

BY_ALL = "..."  # group_by: ['...'] makes a group of each alert
_KEYS = (
    *("receiver", "group_by", "group_wait", "group_interval", "repeat_interval"),
    *("matchers", "continue", "routes"),
)


@dataclass(frozen=True, slots=True)
class Route:
    """
    One node of the tree; what it does not say itself it has from its parent.

    Attributes:
        key: The matchers on the way from the root, part of a group's key.
        receiver: Who is told.
        group_by: The labels that make a group; ('...',) means all.
        matchers: What an alert must look like; none match everything.
        continues: True if siblings below may take the alert as well.
        group_wait: How long the first message of a new group waits for company.
        group_interval: How long after a message news of the same group wait.
        repeat_interval: After how long a message is sent again though nothing is new.
        routes: Children; the first that matches takes the alert.
    """

    key: str
    receiver: str
    group_by: tuple[str, ...] = ()
    matchers: tuple[Matcher, ...] = ()
    continues: bool = False
    group_wait: timedelta = GROUP_WAIT
    group_interval: timedelta = GROUP_INTERVAL
    repeat_interval: timedelta = REPEAT_INTERVAL
    routes: tuple["Route", ...] = ()

    def matching(self, labels: Mapping[str, str]) -> list["Route"]:
        """The routes that take an alert with *labels*, in the order of the file."""
        if not all_match(self.matchers, labels):
            return []
        taken: list[Route] = []
        for route in self.routes:
            below = route.matching(labels)
            taken += below
            if below and not route.continues:
                break
        return taken or [self]

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels that an alert shares with its group."""
        if BY_ALL in self.group_by:
            return dict(sorted(labels.items()))
        return {name: labels[name] for name in sorted(self.group_by) if name in labels}

    def walk(self) -> Iterator["Route"]:
        """The route and all below it."""
        yield self
        for route in self.routes:
            yield from route.walk()


def read_route(node: Node, problems: Problems, receivers: Collection[str]) -> Route:
    """The tree under *node*, the file's `route`; *receivers* are the names there are."""
    section = Section(node, problems, _KEYS)
    for key in ("matchers", "continue"):
        if key in section:
            problems.add(section.place(key), "the top route takes every alert and has no siblings: leave this out")
    if "receiver" not in section:
        problems.add(node, f"receiver is missing; known: {', '.join(sorted(receivers)) or 'none'}")
    return _filled(section, problems, receivers, Route(key="{}", receiver=""))


def _child(node: Node, problems: Problems, receivers: Collection[str], parent: Route) -> Route:
    section = Section(node, problems, _KEYS)
    matchers = _matchers(section, problems)
    key = f"{parent.key}/{{{','.join(map(str, matchers))}}}"
    continues = section.boolean("continue", False)
    inherited = replace(parent, key=key, matchers=matchers, continues=continues, routes=())
    return _filled(section, problems, receivers, inherited)


def _filled(section: Section, problems: Problems, receivers: Collection[str], inherited: Route) -> Route:
    """*inherited* with what the section itself says, and its children."""
    receiver = section.text("receiver", inherited.receiver)
    if "receiver" in section and receiver not in receivers:
        problems.add(section.place("receiver"), f"no receiver is named {receiver!r}{did_you_mean(receiver, receivers)}")
    route = replace(
        inherited,
        receiver=receiver,
        group_by=section.strings("group_by", inherited.group_by),
        group_wait=section.duration("group_wait", inherited.group_wait),
        group_interval=_interval(section, "group_interval", inherited.group_interval, problems),
        repeat_interval=_interval(section, "repeat_interval", inherited.repeat_interval, problems),
    )
    children = tuple(_child(child, problems, receivers, route) for child in section.elements("routes"))
    return replace(route, routes=children)


def _interval(section: Section, key: str, inherited: timedelta, problems: Problems) -> timedelta:
    interval = section.duration(key, inherited)
    if interval <= timedelta(0):
        problems.add(section.place(key), "must be longer than 0s; 5m is usual")
        return inherited
    return interval


def _matchers(section: Section, problems: Problems) -> tuple[Matcher, ...]:
    matchers = []
    for node in section.elements("matchers"):
        try:
            matchers.append(parse_matcher(node.text))
        except ValueError as error:
            problems.add(node, str(error))
    return tuple(matchers)
