"""The REST API: JSON in, JSON out, and the HTTP server around it."""
