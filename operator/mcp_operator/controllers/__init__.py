"""One reconciler per kind: gather, decide, build, apply, summarize."""
