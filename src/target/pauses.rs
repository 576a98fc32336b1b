//! The pauses between reads that are made again, because services may be eventually consistent (`--settle`). It knows
//! nothing of what is read, nor of what contradicts what was written.

use std::time::{Duration, Instant};

/// The first pause; each is twice the one before.
const FIRST: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);
/// So often something may outlast the whole time before nobody waits for it again: then it is no matter of time.
pub const HOPELESS: u32 = 2;

/// Pauses that grow until a time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    deadline: Instant,
    pause: Duration,
}

impl Pauses {
    /// Pauses for that long.
    pub fn starting(begun: Instant, within: Duration) -> Pauses {
        Pauses { deadline: begun + within, pause: FIRST }
    }

    /// The next pause; none where the time is over.
    pub fn next(&mut self, now: Instant) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(now);
        if left.is_zero() {
            return None;
        }
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(LONGEST);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second_and_end_with_the_time() {
        let begun = Instant::now();
        let mut pauses = Pauses::starting(begun, Duration::from_secs(10));
        let all: Vec<u128> = (0..7).filter_map(|_| pauses.next(begun)).map(|it| it.as_millis()).collect();
        assert_eq!(all, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(pauses.next(begun + Duration::from_millis(9_990)), Some(Duration::from_millis(10)));
        assert_eq!(pauses.next(begun + Duration::from_secs(10)), None);
        assert_eq!(pauses.next(begun + Duration::from_secs(11)), None);
    }
}
