# Keeps small arrays, whose elements Ruby 3.1 moves into malloc's memory when it collects.
KEPT = []
60_000.times { |number| KEPT << Array.new(20, number) }
GC.start
puts "kept_bytes=#{KEPT.size * 20 * 8}"
