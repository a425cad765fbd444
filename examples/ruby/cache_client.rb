# A service writes to a cache whose server is down, by a client in C that loses each request then:
#
#   cc -O2 -g -shared -fPIC -o mcache.so mcache.c
#   malloscope run -- ruby cache_client.rb leak 30        # or: repaired
require_relative 'mcache'

module Rails
  class Store
    def initialize(leaky)
      @leaky = leaky
      @client = MCache.new
    end

    def write(key, value)
      @client.set(key, value, @leaky)
    end
  end

  class << self
    attr_accessor :cache
  end
end

Rails.cache = Rails::Store.new(ARGV[0] != 'repaired')
stop = Process.clock_gettime(Process::CLOCK_MONOTONIC) + (ARGV[1] || 30).to_f
while Process.clock_gettime(Process::CLOCK_MONOTONIC) < stop
  Rails.cache.write(rand(10**10).to_s, rand(10**10).to_s)
  sleep 0.001
end
