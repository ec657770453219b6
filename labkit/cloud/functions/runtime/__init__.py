"""What runs inside a function's own process: the runtime, its client, the SDK."""
