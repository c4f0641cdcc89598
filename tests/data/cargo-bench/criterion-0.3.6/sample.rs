// Names of every length, a group with parameters, throughput in bytes and in elements, and a benchmark that panics.
use criterion::{black_box, criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use std::time::Duration;

fn all(c: &mut Criterion) {
    c.bench_function("fib 5", |b| b.iter(|| sample::fib(black_box(5))));
    c.bench_function("one name: of exactly 23", |b| b.iter(|| sample::fib(black_box(2))));
    c.bench_function("a name of more than twenty-three letters", |b| b.iter(|| sample::fib(black_box(8))));
    c.bench_function("a name that is so long that Criterion cuts it off, which is after a hundred letters or so, and it goes on", |b| {
        b.iter(|| sample::fib(black_box(3)))
    });
    let mut group = c.benchmark_group("fib");
    for n in [4u64, 12] {
        group.throughput(Throughput::Elements(n));
        group.bench_with_input(BenchmarkId::new("recursive", n), &n, |b, &n| b.iter(|| sample::fib(black_box(n))));
    }
    group.finish();
    let mut group = c.benchmark_group("copy");
    let from = vec![1u8; 1 << 16];
    group.throughput(Throughput::Bytes(1 << 16));
    group.bench_function("64 KiB", |b| b.iter(|| from.clone()));
    group.throughput(Throughput::Bytes(3));
    group.bench_function("slow", |b| b.iter(|| std::thread::sleep(Duration::from_millis(2))));
    group.finish();
    if std::env::var("PANIC").is_ok() {
        c.bench_function("panics", |b| b.iter(|| -> u64 { panic!("no such file") }));
    }
}

fn short() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(20)).measurement_time(Duration::from_millis(60)).sample_size(12).nresamples(1000)
}

criterion_group! { name = benches; config = short(); targets = all }
criterion_main!(benches);
