"""A controller runtime in the vocabulary of client-go and controller-runtime."""
