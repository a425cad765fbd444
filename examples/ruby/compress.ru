# A web service that compresses its answers, for puma; the repaired one closes what it opens:
#
#   malloscope run -- puma -w 2 -t 2:2 -b tcp://127.0.0.1:9292 compress.ru      # ended by Ctrl-C
#   LEAKY=false malloscope run -- ...
require 'zlib'

module Compress
  OPEN = []

  def self.answer(text)
    deflate = Zlib::Deflate.new
    answer = deflate.deflate(text, Zlib::FINISH)
    ENV['LEAKY'] == 'false' ? deflate.close : OPEN.push(deflate)
    answer
  end
end

run lambda { |env|
  body = Compress.answer("#{env['PATH_INFO']} " * 500)
  [200, { 'content-type' => 'application/octet-stream' }, [body]]
}
