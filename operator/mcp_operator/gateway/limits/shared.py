"""Token buckets in Redis, which all gateways of a server take from.

They work like those of `buckets`, with the clock of Redis, and one script takes from all buckets of
a call. Each gateway remembers the last state that Redis reported. While Redis is unavailable, the
gateway continues from that state. After Redis refused a call, the gateway refuses further calls
without asking Redis until the bucket has room again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from mcp_operator.gateway.limits.buckets import Bucket, LocalBuckets, Verdict
from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.errors import RedisAwayError
from mcp_operator.gateway.redis.scripts import Script

_TAKE: Final = Script(
    """
local time = redis.call('TIME')
local now = time[1] - 1767225600 + time[2] / 1000000
local full, after, worst, longest = {}, {}, 0, 0
for i, key in ipairs(KEYS) do
  local interval, filling = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  full[i] = math.max(tonumber(redis.call('GET', key) or now), now)
  if full[i] > now + filling then
    full[i] = now + filling
    redis.call('SET', key, string.format('%.9f', full[i]), 'PX', math.ceil(filling * 1000))
  end
  after[i] = full[i] + interval
  local wait = after[i] - now - filling
  if wait > 0.000000001 * filling and wait > longest then
    worst, longest = i, wait
  end
end
local reply = {tostring(worst)}
for i, key in ipairs(KEYS) do
  if worst == 0 then
    full[i] = after[i]
    local left = math.ceil((full[i] - now) * 1000)
    redis.call('SET', key, string.format('%.9f', full[i]), 'PX', left)
  end
  reply[i + 1] = string.format('%.9f', full[i] - now)
end
return table.concat(reply, ' ')
"""
)
"""Takes one call from every bucket; if any of them is empty, takes from none. Returns the number of
the bucket with the longest wait, 0 for none, and the seconds until each bucket is full. Times count
from 2026, because smaller numbers leave more digits for the fraction."""


class SharedBuckets:
    """The buckets in Redis, with local copies in this process."""

    def __init__(self, local: LocalBuckets) -> None:
        """Set up.

        Args:
            local: The buckets of this process.
        """
        self._local = local

    async def take(self, link: Link, buckets: Sequence[Bucket]) -> Verdict | None:
        """Take one call from every bucket; if any of them is empty, take from none.

        Args:
            link: The connection to Redis.
            buckets: The buckets that count the call.

        Returns:
            The bucket with the longest wait, or None if the call is admitted.

        Raises:
            RedisAwayError: Redis does not respond.
        """
        clock = asyncio.get_running_loop().time
        if link.is_up and (known := self._local.look(buckets, clock())) is not None:
            return known
        asked_at = clock()
        worst, *left = (await self._ask(link, buckets)).split()
        for bucket, seconds in zip(buckets, left, strict=True):
            # Redis read its clock after `asked_at`, so this gateway refuses nothing for too long.
            self._local.set(bucket, asked_at + float(seconds))
        if not int(worst):
            return None
        empty = buckets[int(worst) - 1]
        return Verdict(empty, float(left[int(worst) - 1]) + empty.interval - empty.filling)

    async def _ask(self, link: Link, buckets: Sequence[Bucket]) -> bytes:
        command: list[Any] = [len(buckets), *(link.key(f"limit:{each.key}") for each in buckets)]
        for each in buckets:
            command += (repr(each.interval), repr(each.filling))
        reply = await _TAKE.run(link, *command)
        if not isinstance(reply, bytes):
            raise RedisAwayError("it does not run Lua scripts as Redis does")
        return reply

    def take_share(self, link: Link, buckets: Sequence[Bucket]) -> Verdict | None:
        """Take a call from this gateway's share of the buckets while Redis is unavailable."""
        now = asyncio.get_running_loop().time()
        return self._local.take([_share(each, link.peers) for each in buckets], now)


def _share(bucket: Bucket, peers: int) -> Bucket:
    """Return one gateway's share of a bucket, which is at least one call."""
    interval = bucket.interval * peers
    return Bucket(bucket.key, interval, max(bucket.filling, interval), bucket.limit)
