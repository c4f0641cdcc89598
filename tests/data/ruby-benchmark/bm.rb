require 'benchmark'
n = 2_000_00
Benchmark.bm(12) do |x|
  x.report('for:')   { for i in 1..n; a = "1"; end }
  x.report('times:') { n.times do; a = "1"; end }
  x.report('two words') { 1.upto(n) do; a = "1"; end }
  x.report { 1.upto(n) { } }
end
