//! What was tried of each property, counted.

use std::collections::BTreeMap;

/// A property that what is fuzzed is held to, as ids and reports name it.
pub trait Property: Copy + Ord + 'static {
    /// All of them, in the order of reports.
    const ALL: &'static [Self];

    /// Its name in ids.
    fn name(self) -> &'static str;

    /// What it says.
    fn title(self) -> &'static str;
}

/// What was tried of each property, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<P> {
    /// How many things were judged, by property.
    pub judged: BTreeMap<P, u64>,
    /// How many answers said nothing.
    pub unjudged: u64,
    /// How many things a known cause explained.
    pub left_alone: u64,
    /// How many requests went into shrinking and judging anew.
    pub shrinking: u64,
}

impl<P> Default for Tally<P> {
    fn default() -> Self {
        Tally { judged: BTreeMap::new(), unjudged: 0, left_alone: 0, shrinking: 0 }
    }
}

impl<P: Property> Tally<P> {
    /// How many things were judged.
    pub fn tried(&self) -> u64 {
        self.judged.values().sum()
    }

    /// Takes note that one thing was judged.
    pub fn judge(&mut self, property: P) {
        *self.judged.entry(property).or_default() += 1;
    }
}
