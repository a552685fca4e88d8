"""Where results are kept: one port, and what implements it."""
