require 'benchmark/ips'
Benchmark.ips do |x|
  x.config(time: 1, warmup: 1)
  x.report("addition") { 1 + 2 }
  x.report("a long label of some forty characters x") { "a" + "b" }
  x.report("sleepy") { sleep 0.02 }
  x.compare!
  x.json! 'ips.json'
end
