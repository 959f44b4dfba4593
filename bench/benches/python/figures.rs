//! From rounds to figures.

use crate::op::{Calls, Measured};

/// A line: what the rounds of both sides took.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) python: Rounds,
    pub(crate) ours: Rounds,
}

/// The rounds of one side.
#[derive(Default)]
pub(crate) struct Rounds(Vec<Measured>);

/// The median of an operation over the rounds, with the least and the most, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Line {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), python: Rounds::default(), ours: Rounds::default() }
    }

    pub(crate) fn push(&mut self, python: Measured, ours: Measured) {
        self.python.0.push(python);
        self.ours.0.push(ours);
    }
}

impl Rounds {
    pub(crate) fn cpu(&self) -> Spread {
        self.spread(|round| round.cpu)
    }

    pub(crate) fn wall(&self) -> Spread {
        self.spread(|round| round.wall)
    }

    fn spread(&self, of: impl Fn(&Measured) -> f64) -> Spread {
        let mut each: Vec<f64> = self.0.iter().map(|round| of(round) / round.operations as f64).collect();
        each.sort_by(f64::total_cmp);
        let at = |index: usize| each.get(index).copied().unwrap_or_default();
        let last = each.len().saturating_sub(1);
        Spread { least: at(0), median: at(last / 2).midpoint(at(last.div_ceil(2))), most: at(last) }
    }

    pub(crate) fn operations(&self) -> usize {
        self.0.iter().map(|round| round.operations).sum()
    }

    /// Of all rounds together.
    pub(crate) fn calls(&self) -> Calls {
        self.0.iter().map(|round| round.calls).sum()
    }
}
