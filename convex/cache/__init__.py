"""What may be forgotten at any moment: read-through answers and rate limits, in Redis or Valkey.

Owns keys, expiry, what is forgotten together (`Area`), single flight, counts of hits, and the
behaviour when Redis is away (loaders run, limits pass). Holds nothing that PostgreSQL does not hold
too.
"""

from convex.cache.areas import LONGEST, Area
from convex.cache.counts import CacheCounts, CacheMemory, read_counts, read_memory
from convex.cache.limits import RateLimiter, Window
from convex.cache.read_through import Cache
from convex.cache.server import CacheServer

__all__ = [
    "LONGEST",
    "Area",
    "Cache",
    "CacheCounts",
    "CacheMemory",
    "CacheServer",
    "RateLimiter",
    "Window",
    "read_counts",
    "read_memory",
]
