"""What may be forgotten at any moment: read-through answers and rate limits, in Redis or Valkey.

Owns keys, expiry, single flight and the behaviour when Redis is away (loaders run, limits pass).
Holds nothing that PostgreSQL does not hold too.
"""

from convex.cache.limits import RateLimiter, Window
from convex.cache.read_through import Cache
from convex.cache.server import CacheServer

__all__ = ["Cache", "CacheServer", "RateLimiter", "Window"]
