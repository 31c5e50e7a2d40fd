"""Limits the calls of all clients together and of each client: `rateLimits` and related fields."""
