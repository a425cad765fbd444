# Keeps small strings in a constant, and makes others that die: `ruby objects.rb COUNT`.
module Sessions
  KNOWN = {}

  def self.remember(id)
    KNOWN[id] = "s#{id}"
  end
end

class Point
  def initialize(x) = @x = x
end

count = ARGV[0].to_i
pairs = []
count.times do |id|
  Sessions.remember(id)
  "gone #{id}".upcase
  pairs << Point.new(id) if id % 4 == 0
end
GC.start
puts "strings=#{count}"
puts "points=#{pairs.size}"
