"""What operators see and set: metrics, logs, TLS."""
