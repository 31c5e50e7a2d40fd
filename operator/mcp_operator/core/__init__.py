"""What every layer shares and that does no I/O: metadata, errors, time, logs, metrics, tasks."""
