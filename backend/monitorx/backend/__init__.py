"""The server: takes OTLP in, journals it, evaluates it, stores it, and hands what is wrong to alerting."""
