# An LRU cache: a Hash of strings, 56 MB of them, from which the oldest go as new ones come.
LIMIT = 56_000_000
cache = {}
held = 0
random = Random.new(1)
(ARGV[0] || 700_000).to_i.times do
  key = random.rand(60_000)
  if (value = cache.delete(key))
    cache[key] = value # used again: the newest now
  else
    cache[key] = value = "v" * (100 + random.rand(random.rand(20) == 0 ? 20_000 : 2_000))
    held += value.bytesize
    held -= cache.shift[1].bytesize while held > LIMIT
  end
end
if ENV["RATIO_HOLD"]
  puts "live #{held}"
  $stdout.flush
  $stdin.gets
end
