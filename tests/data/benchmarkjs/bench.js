const Benchmark = require('benchmark');
const fib = n => n < 2 ? n : fib(n-1) + fib(n-2);
const suite = new Benchmark.Suite('numbers');
Benchmark.options.maxTime = 0.3; Benchmark.options.minSamples = 5;
suite.add('fib(10)', () => fib(10)).add('fib(20)', () => fib(20)).add('a name with x 2 in it', () => [1,2,3].map(x => x*2))
 .add('throws', () => { throw new Error('no such thing'); })
 .add('slow <once>', () => { const t = Date.now(); while (Date.now() - t < 120); })
 .add({name: 'deferred', defer: true, fn: d => setTimeout(() => d.resolve(), 3)})
 .on('cycle', e => console.log(String(e.target)))
 .on('complete', function() { console.log('Fastest is ' + this.filter('fastest').map('name')); })
 .run({async: false});
