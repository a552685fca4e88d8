"""
One call of a model, from its start to its end.

`Inference` is what crosses from an instrumentor to the emitter: a record that is cheap to make on the caller's thread
and frozen when it stops. Stopping twice changes nothing.
"""
