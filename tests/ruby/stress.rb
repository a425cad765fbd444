# Everything that moves what a profiler inside malloc might look at: `ruby stress.rb SECONDS WHAT...`
# with WHAT of threads, ractors, compact, gc (GC.stress), forks.
require 'json'
require 'zlib'

seconds, *kinds = ARGV
STOP = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds.to_f
# zlib reads a text without Ruby's lock, and GC.compact of 3.1 moves it: one run in 60 crashes without us.
DEFLATES = !kinds.include?('compact')

def busy?(stop) = Process.clock_gettime(Process::CLOCK_MONOTONIC) < stop

def work(number, stop, rounds = 0)
  while busy?(stop)
    rounds += 1
    text = JSON.generate({ 'a' => [number, rounds, 'x' * (rounds % 300)], 'b' => { 'c' => rounds.to_s } })
    text.scan(/[a-z]+/).map(&:to_sym)
    Zlib::Deflate.deflate(text * 20) if DEFLATES && rounds % 7 == 0
    eval("def made_#{rounds % 50}(x) = x.to_s * 3; made_#{rounds % 50}(#{rounds})") if rounds % 11 == 0
    Class.new { define_method(:q) { |z| [z] * 20 }; def self.make = new.q(3) }.make if rounds % 13 == 0
    Thread.new { 'y' * 3000 }.join if rounds % 101 == 0
  end
  rounds
end

threads = []
threads += Array.new(4) { |number| Thread.new { work(number, STOP) } } if kinds.include?('threads')
threads << Thread.new { (GC.compact; sleep 0.02) while busy?(STOP) } if kinds.include?('compact')
ractors = !kinds.include?('ractors') ? [] : Array.new(3) do |number|
  Ractor.new(number, STOP) do |number, stop|
    rounds = 0
    while Process.clock_gettime(Process::CLOCK_MONOTONIC) < stop
      rounds += 1
      made = { 'a' => [number, rounds, 'x' * (rounds % 300)] }.map { |key, value| "#{key}=#{value.inspect}" }
      made.join(',').split(',').map(&:upcase)
      [rounds].pack('N*') * 20
      Array.new(50) { |at| at.to_s * 3 }
    end
    rounds
  end
end
GC.stress = true if kinds.include?('gc')
work(8, STOP) if kinds.include?('gc')
if kinds.include?('forks')
  5.times do
    child = fork { work(9, Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.1); exit 7 }
    Process.wait(child)
    raise 'child' unless $?.exitstatus == 7
  end
end
threads.each(&:value)
ractors.each(&:take)
GC.stress = false
puts 'done=1'
