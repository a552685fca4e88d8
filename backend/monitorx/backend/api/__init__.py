"""The REST API: what the server knows, told over HTTP."""

from monitorx.backend.api.app import create_app
from monitorx.backend.api.dependency import Dependencies, Health, Part

__all__ = ["Dependencies", "Health", "Part", "create_app"]
