# Nanoseconds of one malloc below so many Ruby frames: `ruby deep.rb DEPTH`.
COUNT = 20_000

def down(depth) = depth.zero? ? work : down(depth - 1)

def work
  start = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :nanosecond)
  # Each asks malloc for 2,000 bytes.
  COUNT.times { 'x' * 2000 }
  (Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :nanosecond) - start) / COUNT
end

puts down(ARGV[0].to_i)
