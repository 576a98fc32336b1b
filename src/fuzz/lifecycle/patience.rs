//! Patience with services that are eventually consistent (`--settle`): a read that contradicts the model soon after a write
//! is made again, with growing pauses, before it counts. A contradiction that outlasted the whole time twice is not waited
//! for again: then it is no matter of time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::problem::Signature;
use crate::target::Target;

/// The first pause; each is twice the one before.
const FIRST: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);
/// So often a contradiction may outlast the whole time before nobody waits for it again.
const HOPELESS: u32 = 2;

/// How long reads may lag behind writes, and what lasted longer.
#[derive(Debug, Default)]
pub struct Patience {
    within: Option<Duration>,
    outlasted: Mutex<BTreeMap<Signature, u32>>,
}

/// A read that may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    /// Patience for that long with each read; none without.
    pub fn new(within: Option<Duration>) -> Patience {
        Patience { within, outlasted: Mutex::default() }
    }

    /// The patience for a read that is about to be made, where the last write was so long ago.
    pub fn waiting(&self, wrote: Option<Instant>) -> Option<Waiting> {
        let within = self.within?;
        let now = Instant::now();
        wrote.filter(|wrote| now.duration_since(*wrote) < within)?;
        Some(Waiting { deadline: now + within, pause: FIRST })
    }

    /// Whether a read that contradicts is to be made again, after a pause that this takes.
    pub async fn again(&self, waiting: &mut Waiting, problem: &Signature, target: &Target) -> bool {
        let now = Instant::now();
        let Some(pause) = self.pause(waiting, problem, now) else { return false };
        if target.interrupted() || !target.can_spare(1) {
            return false;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = target.until_interrupted() => {}
        }
        true
    }

    /// The next pause; none where the time is over, or no use.
    fn pause(&self, waiting: &mut Waiting, problem: &Signature, now: Instant) -> Option<Duration> {
        let mut outlasted = self.outlasted.lock().unwrap_or_else(PoisonError::into_inner);
        if outlasted.get(problem).is_some_and(|times| *times >= HOPELESS) {
            return None;
        }
        if now >= waiting.deadline {
            *outlasted.entry(problem.clone()).or_default() += 1;
            return None;
        }
        let pause = waiting.pause.min(waiting.deadline - now);
        waiting.pause = (waiting.pause * 2).min(LONGEST);
        Some(pause)
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
            let mut waiting = patience.waiting(Some(Instant::now())).unwrap();
            let begun = waiting.deadline - Duration::from_millis(200);
            assert_eq!(patience.pause(&mut waiting, &problem, begun), Some(FIRST));
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
