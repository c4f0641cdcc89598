require 'benchmark'
include Benchmark
n = 100000
Benchmark.benchmark(CAPTION, 7, FORMAT, ">total:", ">avg:") do |x|
  tf = x.report("for:")   { for i in 1..n; a = "1"; end }
  tt = x.report("times:") { n.times do   ; a = "1"; end }
  [tf+tt, (tf+tt)/2]
end
puts Benchmark.measure { "a"*1_000_000 }
