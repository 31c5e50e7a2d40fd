"""The composition roots: one module per process, which knows all the layers that it needs.

They are separate modules, so that a process imports only what it runs.
"""
