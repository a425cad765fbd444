# A constant grows by small strings, which Ruby keeps in its own heap; the repaired one forgets the oldest:
#
#   malloscope run -- ruby known_sessions.rb leak 30        # or: repaired
module Sessions
  KNOWN = {}

  def self.remember(id)
    KNOWN["u#{id}"] = "s#{id}"
  end

  def self.forget_oldest
    KNOWN.shift while KNOWN.size > 1000
  end
end

stop = Process.clock_gettime(Process::CLOCK_MONOTONIC) + (ARGV[1] || 30).to_f
id = 0
while Process.clock_gettime(Process::CLOCK_MONOTONIC) < stop
  50.times do
    id += 1
    Sessions.remember(id)
    "request #{id}".upcase.split.reverse.join(' ')
  end
  Sessions.forget_oldest if ARGV[0] == 'repaired'
  sleep 0.002
end
