"""Pure functions from a spec and its context to the objects that should exist."""
