# Keeps compressors that it never closes, and ends as ARGV[0] says: `return`, `exit`, `raise`, `wait`
# for a signal, `fork` a child that keeps more.
require 'zlib'

class Compressors
  def self.keep(count) = (@kept ||= []).concat(Array.new(count) { Zlib::Deflate.new })
end

Compressors.keep(200)
puts 'kept=200'
$stdout.flush
case ARGV[0]
when 'exit' then exit 3
when 'raise' then raise 'no more'
when 'wait' then sleep
when 'fork'
  child = fork { Compressors.keep(100) }
  Process.wait(child)
end
