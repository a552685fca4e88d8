"""The ways out: each carries a notification to one kind of place."""

from monitorx.alerting.channel.channel import Channel, ChannelConfig, ChannelType, Delivery, Outcome

__all__ = ["Channel", "ChannelConfig", "ChannelType", "Delivery", "Outcome"]
