"""How many calls are taken, of all clients together and of each: `rateLimits` and its kin."""
