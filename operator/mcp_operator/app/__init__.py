"""The composition roots: one module for each process, which knows all the layers that it needs.

They are separate modules so that a process imports only what it runs.
"""
