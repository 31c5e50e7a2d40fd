"""Answers of backends that are given again, for as long as a tool's or resource's author said.

What may differ between two clients is in the key of an answer, so that nobody is given what was
meant for another. Errors are never kept. Equal calls that come while one is under way wait for its
answer.
"""
