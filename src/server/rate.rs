//! A limit on requests, counted in windows of a fixed length: so many in a window, then 429 until it ends
//! (RFC 6585 §4). A window begins with the first request after the one before has ended, so that a client can tell in
//! advance which request will be refused. Pure: the time is told.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// So many requests with one token in a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    requests: NonZeroU32,
    window: Duration,
}

/// Why a limit cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateLimitError {
    /// Not one request fits into a window.
    #[error(
        "{requests} requests in {} s are less than one in a window of {} s; take a longer window or a higher limit",
        .per.as_secs_f64(),
        .window.as_secs_f64()
    )]
    WindowTooShort {
        /// That many requests …
        requests: NonZeroU32,
        /// … in this time.
        per: Duration,
        /// The window.
        window: Duration,
    },
}

impl RateLimit {
    /// That many requests in that time, counted in windows of that time, or of another length: 600 in a minute are 10
    /// in each window of one second. Fractions of a request are rounded down.
    ///
    /// # Errors
    /// If not one request would fit into a window.
    pub fn new(
        requests: NonZeroU32,
        per: Duration,
        window: Option<Duration>,
    ) -> Result<RateLimit, RateLimitError> {
        let window = window.unwrap_or(per);
        let in_window = u128::from(requests.get()) * window.as_nanos() / per.as_nanos().max(1);
        let in_window = u32::try_from(in_window).unwrap_or(u32::MAX);
        match NonZeroU32::new(in_window) {
            Some(in_window) => Ok(RateLimit { requests: in_window, window }),
            None => Err(RateLimitError::WindowTooShort { requests, per, window }),
        }
    }
}

impl RateLimit {
    /// That many requests in each minute.
    pub(crate) const fn a_minute(requests: NonZeroU32) -> Self {
        Self { requests, window: Duration::from_secs(60) }
    }
}

/// The requests of one token in the current window.
#[derive(Debug, Default)]
pub(crate) struct Window {
    began: Option<Instant>,
    used: u32,
}

impl Window {
    /// Counts a request. If it is one too many, says in how many seconds the next window can begin: at least 1.
    pub(crate) fn admit(&mut self, limit: RateLimit, now: Instant) -> Result<(), u64> {
        let left = self.began.and_then(|began| (began + limit.window).checked_duration_since(now));
        match left.filter(|left| !left.is_zero()) {
            None => {
                *self = Self { began: Some(now), used: 1 };
                Ok(())
            }
            Some(_) if self.used < limit.requests.get() => {
                self.used += 1;
                Ok(())
            }
            Some(left) => Err(left.as_secs() + u64::from(left.subsec_nanos() > 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(requests: u32, per: u64, window: Option<Duration>) -> Result<RateLimit, RateLimitError> {
        RateLimit::new(NonZeroU32::new(requests).unwrap(), Duration::from_secs(per), window)
    }

    #[test]
    fn a_window_takes_its_number_and_no_more() {
        let limit = limit(3, 60, None).unwrap();
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut window = Window::default();
        assert_eq!([0.0, 1.0, 30.0].map(|time| window.admit(limit, at(time))), [Ok(()); 3]);
        assert_eq!(window.admit(limit, at(30.5)), Err(30));
        assert_eq!(window.admit(limit, at(59.9)), Err(1));
        assert_eq!([60.0, 60.0, 119.0].map(|time| window.admit(limit, at(time))), [Ok(()); 3]);
        assert_eq!(window.admit(limit, at(119.5)), Err(1));
        assert_eq!(window.admit(limit, at(500.0)), Ok(()));
    }

    #[test]
    fn the_window_does_not_change_the_rate() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(limit(600, 60, second).unwrap().requests.get(), 10);
        assert_eq!(limit(119, 60, second).unwrap().requests.get(), 1);
        let error = limit(59, 60, second).unwrap_err().to_string();
        assert_eq!(
            error,
            "59 requests in 60 s are less than one in a window of 1 s; take a longer window or a higher limit"
        );
    }
}
