//! How long a hunt goes on, and why it ended.

use super::{Ended, Options};
use crate::target::Target;
use crate::target::exchange::ExchangeId;

/// After so many answers in a row that did not come, the target counts as gone.
const GONE_AFTER: u32 = 4;
/// After so many answers in a row that say nothing, it is no use to go on.
const HOPELESS: u32 = 4;

/// The course of a hunt.
#[derive(Debug)]
pub struct Course {
    /// The first exchange of the hunt.
    first: ExchangeId,
    /// Why it ended; nothing while it goes on.
    pub ended: Option<Ended>,
    /// How many answers in a row did not come.
    silent: u32,
    /// How many answers in a row said nothing.
    hopeless: u32,
}

/// What an answer says of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'w> {
    /// It serves.
    Something,
    /// Nothing that says anything: a limit, an interrupt, credentials.
    Nothing(&'w str),
    /// It broke.
    Broken(&'w str),
}

impl Course {
    /// The course of a hunt that begins now.
    pub fn begin(target: &Target) -> Course {
        Course { first: target.next_exchange(), ended: None, silent: 0, hopeless: 0 }
    }

    /// Whether the hunt goes on; where not, why it ended is noted. What nobody holds as evidence by now is let go of,
    /// unless all of it is to be kept. `kept` requests are kept for shrinking what is found
    /// late; `tried` is how much was tried, and `is_found` says whether there is a cause.
    pub fn goes_on(
        &mut self,
        target: &Target,
        options: &Options,
        kept: u64,
        tried: u64,
        is_found: impl FnOnce() -> bool,
    ) -> bool {
        if !options.keeps_all {
            target.let_go(self.first);
        }
        if self.ended.is_some() {
            return false;
        }
        let has_enough = options.most.is_some_and(|most| tried >= most);
        if target.interrupted() {
            self.ended = Some(Ended::Interrupted);
        } else if has_enough || (options.stop_at_first && is_found()) {
            self.ended = Some(Ended::Done);
        } else if !target.can_spare(kept) {
            self.ended = Some(Ended::BudgetSpent);
        }
        self.ended.is_none()
    }

    /// Takes note of whether an answer says that it is no use to go on. `answered` is whether there was one at all.
    pub fn heed(&mut self, target: &Target, answered: bool, heard: Heard<'_>) {
        self.silent = if answered { 0 } else { self.silent + 1 };
        match heard {
            Heard::Nothing(why) => self.said_nothing(target, why, 0),
            Heard::Broken(why) if self.silent >= GONE_AFTER && self.ended.is_none() => {
                self.ended = Some(Ended::Gone(why.to_owned()));
            }
            Heard::Something | Heard::Broken(_) => self.hopeless = 0,
        }
    }

    /// Takes note of something that said nothing. Where it would have needed more requests than are left, that is why.
    pub fn said_nothing(&mut self, target: &Target, why: &str, needed: u64) {
        self.hopeless += 1;
        if self.hopeless >= HOPELESS && self.ended.is_none() && !target.interrupted() {
            let spent = !target.can_spare(needed);
            self.ended = Some(if spent { Ended::BudgetSpent } else { Ended::Gone(why.to_owned()) });
        }
    }

    /// Takes note of something that said what it had to.
    pub fn said_something(&mut self) {
        self.hopeless = 0;
    }

    /// Whether the last answer said something.
    pub fn is_heard(&self) -> bool {
        self.hopeless == 0
    }
}
