//! Chance that can be had again: the same seed and the same stream give the same draws, whatever was drawn elsewhere.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sha2::{Digest, Sha256};

/// A source of draws from strategies.
#[derive(Debug)]
pub struct Dice {
    runner: TestRunner,
}

impl Dice {
    /// The dice of one stream of a run: `sweep`, `random 17`.
    pub fn new(seed: u64, stream: &str) -> Dice {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(stream.as_bytes());
        let config = Config { failure_persistence: None, ..Config::default() };
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &hash.finalize());
        Dice { runner: TestRunner::new_with_rng(config, random) }
    }

    /// A value of a strategy; none where the strategy rejects all that it makes.
    pub fn draw<S: Strategy>(&mut self, strategy: &S) -> Option<S::Value> {
        strategy.new_tree(&mut self.runner).ok().map(|tree| tree.current())
    }

    /// A number below `end`, and 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end < 2 { 0 } else { self.draw(&(0..end)).unwrap_or(0) }
    }

    /// Puts a list into an order of chance.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }

    /// One of a list.
    pub fn pick<'l, T>(&mut self, list: &'l [T]) -> Option<&'l T> {
        let at = self.below(list.len());
        list.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_again_and_no_other() {
        let draws = |seed, stream: &str| {
            let mut dice = Dice::new(seed, stream);
            (0..20).map(|_| dice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draws(7, "sweep"), draws(7, "sweep"));
        assert_ne!(draws(7, "sweep"), draws(8, "sweep"));
        assert_ne!(draws(7, "sweep"), draws(7, "random 1"));
        let mut list: Vec<usize> = (0..50).collect();
        Dice::new(1, "x").shuffle(&mut list);
        assert_ne!(list, (0..50).collect::<Vec<_>>());
        list.sort_unstable();
        assert_eq!(list, (0..50).collect::<Vec<_>>());
    }
}
