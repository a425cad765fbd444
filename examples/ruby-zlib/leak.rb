# frozen_string_literal: true

# A Ruby worker that keeps every Zlib::Deflate it opens: 268 KB of native memory each, behind an object of 40 bytes
# that ObjectSpace counts as nothing.
#
# The leaked compressors live in a registry keyed by job, as a progress reporter would keep them. Ruby frees them
# when the interpreter goes down, so the dump written at exit shows no leak: look at an interval dump
# (lg_prof_interval:27) or at the high-water one (prof_gdump:true).
#
#   ruby leak.rb [jobs]

require "zlib"

# What deflateInit2_ takes from malloc, by the formula of zconf.h, and zlib 1.2.13's deflate_state.
DEFLATE_BYTES = (1 << (15 + 2)) + (1 << (8 + 9)) + 5_952

# Compresses what a job reports, and never finishes the stream.
class ProgressReporter
  def initialize
    @streams = {}
  end

  def report(job, text)
    stream = (@streams[job] ||= Zlib::Deflate.new)
    stream.deflate(text, Zlib::SYNC_FLUSH)
  end

  def open_streams
    @streams.size
  end
end

# The honest use: the compressor is closed, its memory goes back at once.
def compress(text)
  Zlib::Deflate.deflate(text)
end

jobs = Integer(ARGV.fetch(0, 4_000))
reporter = ProgressReporter.new
jobs.times do |job|
  compress("result of job #{job}\n" * 50)
  reporter.report(job, "job #{job}: retry after timeout\n") if (job % 10).zero?
end

puts "jobs=#{jobs}"
puts "malloc_traffic_bytes>=#{jobs * DEFLATE_BYTES}"
puts "leaked_deflaters=#{reporter.open_streams}"
puts "leaked_bytes=#{reporter.open_streams * DEFLATE_BYTES}"
