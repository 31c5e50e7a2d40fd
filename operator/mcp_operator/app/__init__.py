"""The composition roots: one module for each process, each of which knows every layer it needs.

They are separate modules so that each process imports only what it runs.
"""
