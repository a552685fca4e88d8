"""`python -m monitorx.server`: the same as `monitorx serve`."""
