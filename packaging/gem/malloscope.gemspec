# The gem of one platform. Debian 12 has RubyGems 3.3.15, which refuses x86_64-linux-gnu.
Gem::Specification.new do |spec|
  spec.name = "malloscope"
  spec.version = ENV.fetch("MALLOSCOPE_VERSION")
  spec.platform = "x86_64-linux"
  spec.summary = "Finds what a running program allocates and does not give back"
  spec.authors = ["The malloscope developers"]
  spec.licenses = ["MIT", "Apache-2.0"]
  spec.files = ["libexec/malloscope", "exe/malloscope", "exe/jeprof-compat"]
  spec.bindir = "exe"
  spec.executables = ["malloscope", "jeprof-compat"]
  spec.required_ruby_version = ">= 2.7"
end
