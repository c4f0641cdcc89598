#![feature(test)]
extern crate test;

#[bench]
fn fib_5(b: &mut test::Bencher) {
    b.iter(|| sample::fib(test::black_box(5)));
}
