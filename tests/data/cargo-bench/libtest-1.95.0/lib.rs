//! Benchmarks of libtest: of every size, with bytes, ignored, and one that panics.
#![feature(test)]
extern crate test;

pub fn fib(n: u32) -> u32 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

#[cfg(test)]
mod tests {
    use super::fib;
    use test::{black_box, Bencher};

    #[test]
    fn is_no_benchmark() {
        assert_eq!(fib(10), 55);
    }

    #[bench]
    fn tiny(b: &mut Bencher) {
        b.iter(|| black_box(1) + black_box(2));
    }

    #[bench]
    fn fib_10(b: &mut Bencher) {
        b.iter(|| fib(black_box(10)));
    }

    #[bench]
    fn slow(b: &mut Bencher) {
        b.iter(|| fib(black_box(24)));
    }

    #[bench]
    fn copy_64_kib(b: &mut Bencher) {
        let from = vec![1u8; 65536];
        b.bytes = 65536;
        b.iter(|| from.clone());
    }

    #[bench]
    #[ignore]
    fn ignored(b: &mut Bencher) {
        b.iter(|| ());
    }

    #[bench]
    fn panics(_: &mut Bencher) {
        panic!("no such file");
    }
}
