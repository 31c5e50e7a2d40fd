"""Commands that look at what runs in a cluster, with the rights of the person who calls them."""
