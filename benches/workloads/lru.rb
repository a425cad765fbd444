# An LRU cache: a Hash of strings of mixed sizes, 56 MB of them, from which the oldest go as new ones come.
#
#   ruby lru.rb [look-ups]
LIMIT = 56_000_000
KEYS = 7_000
cache = {}
held = 0
random = Random.new(1)
(ARGV[0] || 600_000).to_i.times do
  key = random.rand(KEYS)
  if (value = cache.delete(key))
    cache[key] = value # used again: the newest now
    next
  end
  kind = random.rand(100)
  size = 100 + random.rand(kind < 1 ? 1_000_000 : kind < 10 ? 60_000 : 8_000)
  cache[key] = "v" * size
  held += size
  held -= cache.shift[1].bytesize while held > LIMIT
end
if ENV["RATIO_HOLD"] # see ../ratio/memory.py
  puts "live #{held}"
  $stdout.flush
  $stdin.gets
end
