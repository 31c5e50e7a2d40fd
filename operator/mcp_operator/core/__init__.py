"""Code without I/O that every layer shares: metadata, errors, time, logs, metrics and tasks."""
