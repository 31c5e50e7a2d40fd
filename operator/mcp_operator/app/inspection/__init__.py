"""Commands that inspect a cluster, with the permissions of the user who runs them."""
