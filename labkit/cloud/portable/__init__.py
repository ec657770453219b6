"""The network of the portable tiers: connections by proxy, decided by the same function as everywhere."""
