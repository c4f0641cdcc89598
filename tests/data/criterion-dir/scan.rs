//! Benchmarks whose output is kept as a test fixture.

use bytescan::{adler32, find_all, fnv1a};
use criterion::{black_box, criterion_group, criterion_main, BenchmarkId, Criterion, SamplingMode, Throughput};
use std::time::Duration;

fn fixture(criterion: &mut Criterion) {
    let input = vec![b'a'; 4_096];
    criterion.bench_function("plain", |bencher| bencher.iter(|| fnv1a(black_box(&input))));
    criterion.bench_function("a/name with spaces", |bencher| bencher.iter(|| adler32(black_box(&input))));

    let mut bytes = criterion.benchmark_group("bytes");
    for length in [64_usize, 4_096] {
        bytes.throughput(Throughput::Bytes(length as u64));
        bytes.bench_with_input(BenchmarkId::from_parameter(length), &length, |bencher, &length| {
            bencher.iter(|| adler32(black_box(&input[..length])))
        });
    }
    bytes.finish();

    let mut elements = criterion.benchmark_group("elements per second");
    elements.throughput(Throughput::Elements(100));
    elements.bench_with_input(BenchmarkId::new("find all", "needle a/b c"), &100_usize, |bencher, &length| {
        bencher.iter(|| find_all(black_box(&input[..length]), b"ab"))
    });
    elements.bench_function("no parameter", |bencher| bencher.iter(|| fnv1a(black_box(&input[..100]))));
    elements.finish();

    let mut long = criterion.benchmark_group("long");
    let large = vec![b'a'; 2_000_000];
    long.bench_function("flat on its own", |bencher| bencher.iter(|| adler32(black_box(&large))));
    long.sampling_mode(SamplingMode::Flat);
    long.bench_function("flat on request", |bencher| bencher.iter(|| fnv1a(black_box(&input))));
    long.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(12)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(200));
    targets = fixture
}
criterion_main!(benches);
