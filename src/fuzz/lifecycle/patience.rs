//! Patience with services that are eventually consistent (`--settle`): a read that contradicts the model soon after a write
//! is made again, with growing pauses, before it counts. Reads of cases, which the rules judge as well, are
//! `src/run/patience.rs`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::problem::Signature;
use crate::target::Target;
use crate::target::pauses::{HOPELESS, Pauses};

/// How long reads may lag behind writes, and what lasted longer.
#[derive(Debug, Default)]
pub struct Patience {
    within: Option<Duration>,
    outlasted: Mutex<BTreeMap<Signature, u32>>,
}

impl Patience {
    /// Patience for that long with each read; none without.
    pub fn new(within: Option<Duration>) -> Patience {
        Patience { within, outlasted: Mutex::default() }
    }

    /// The patience for a read that is about to be made, where the last write was so long ago.
    pub fn waiting(&self, wrote: Option<Instant>) -> Option<Pauses> {
        let within = self.within?;
        let now = Instant::now();
        wrote.filter(|wrote| now.duration_since(*wrote) < within)?;
        Some(Pauses::starting(now, within))
    }

    /// Whether a read that contradicts is to be made again, after a pause that this takes.
    pub async fn again(&self, waiting: &mut Pauses, problem: &Signature, target: &Target) -> bool {
        let now = Instant::now();
        let Some(pause) = self.pause(waiting, problem, now) else { return false };
        if target.interrupted() || !target.can_spare(1) {
            return false;
        }
        target.rest(pause).await;
        true
    }

    /// The next pause; none where the time is over, or no use.
    fn pause(&self, waiting: &mut Pauses, problem: &Signature, now: Instant) -> Option<Duration> {
        let mut outlasted = self.outlasted.lock().unwrap_or_else(PoisonError::into_inner);
        if outlasted.get(problem).is_some_and(|times| *times >= HOPELESS) {
            return None;
        }
        let pause = waiting.next(now);
        if pause.is_none() {
            *outlasted.entry(problem.clone()).or_default() += 1;
        }
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::cause::Harm;

    #[test]
    fn pauses_grow_until_the_time_is_over_and_nobody_waits_for_what_lasts() {
        let patience = Patience::new(Some(Duration::from_millis(200)));
        let problem = Signature { harm: Harm::Wrong, step: "read", differs: "title".to_owned() };
        assert_eq!(patience.waiting(None), None);
        assert_eq!(Patience::default().waiting(Some(Instant::now())), None);
        for _ in 0..HOPELESS {
            assert!(patience.waiting(Some(Instant::now())).is_some());
            let begun = Instant::now();
            let mut waiting = Pauses::starting(begun, Duration::from_millis(200));
            assert_eq!(patience.pause(&mut waiting, &problem, begun), Some(Duration::from_millis(50)));
            let later = begun + Duration::from_millis(150);
            assert_eq!(patience.pause(&mut waiting, &problem, later), Some(Duration::from_millis(50)));
            assert_eq!(patience.pause(&mut waiting, &problem, begun + Duration::from_millis(200)), None);
        }
        let mut waiting = patience.waiting(Some(Instant::now())).unwrap();
        assert_eq!(patience.pause(&mut waiting, &problem, Instant::now()), None);
        let other = Signature { differs: "active".to_owned(), ..problem };
        assert!(patience.pause(&mut waiting, &other, Instant::now()).is_some());
    }
}
