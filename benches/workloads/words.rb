require "json"
40.times { JSON.parse(JSON.generate((1..9000).map { |i| { "id" => i, "name" => "n" * (i % 300), "tags" => %w[a b c] } })) }
