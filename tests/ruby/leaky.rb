# Calls an extension that never frees: `ruby leaky.rb LIBRARY set|set_unlocked COUNT`.
require ARGV[0]

module Store
  class Cache
    def initialize = @client = LeakyClient.new

    def write(how) = instrument { @client.public_send(how, 4400) }

    def instrument
      yield
    end
  end
end

cache = Store::Cache.new
count = ARGV[2].to_i
count.times { cache.write(ARGV[1]) }
puts "leaked_bytes=#{count * 4400}"
