import { run, bench, group, summary } from 'mitata';
const fib = n => n < 2 ? n : fib(n-1) + fib(n-2);
bench('fib(10)', () => fib(10));
group('sorting', () => { bench('sort $n', function* (state) { const n = state.get('n'); const a = Array.from({length: n}, (_, i) => (i * 7919) % n); yield () => a.slice().sort((x, y) => x - y); }).args('n', [16, 256]);
 bench('throws', () => { throw new Error('no such thing'); }); });
await run({ format: 'json' });
