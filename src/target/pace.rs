//! How fast requests may follow each other: the operator's rate, and the waits that a service provider asks for.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

/// A rate, as the operator writes it: `100/min`, `5/s`, `1000/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// That many requests …
    pub requests: NonZeroU32,
    /// … in this time.
    pub per: Duration,
}

/// Why a text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no rate; write it like 100/min, 5/s or 1000/h")]
pub struct RateError {
    text: String,
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Rate, RateError> {
        let wrong = || RateError { text: text.to_owned() };
        let (number, unit) = text.trim().split_once('/').ok_or_else(wrong)?;
        let requests = number.trim().parse().map_err(|_| wrong())?;
        let per = match unit.trim() {
            "s" | "sec" | "second" => Duration::from_secs(1),
            "m" | "min" | "minute" => Duration::from_secs(60),
            "h" | "hour" => Duration::from_secs(3600),
            _ => return Err(wrong()),
        };
        Ok(Rate { requests, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "s",
            60 => "min",
            _ => "h",
        };
        write!(f, "{}/{unit}", self.requests)
    }
}

impl Rate {
    /// The time from one request to the next. Evenly spaced, since a limit is often counted in a window whose
    /// beginning nobody knows: a burst at its end and one at the next one's beginning would break it.
    pub fn interval(self) -> Duration {
        self.per / self.requests.get()
    }

    /// How long that many requests take at least.
    pub fn time_for(self, requests: u64) -> Duration {
        self.interval().saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX))
    }
}

/// The gate that every request passes.
pub(crate) struct Pace {
    limiter: Option<DefaultDirectRateLimiter>,
    /// A service provider that said "later" said it to all requests, not to one.
    closed_until: Mutex<Option<Instant>>,
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("limited", &self.limiter.is_some()).finish_non_exhaustive()
    }
}

impl Pace {
    pub(crate) fn new(rate: Option<Rate>) -> Pace {
        let limiter = rate.and_then(|rate| Quota::with_period(rate.interval())).map(RateLimiter::direct);
        Pace { limiter, closed_until: Mutex::new(None) }
    }

    /// Waits for this request's turn.
    pub(crate) async fn turn(&self) {
        loop {
            let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => break,
            }
        }
        if let Some(limiter) = &self.limiter {
            limiter.until_ready().await;
        }
    }

    /// How long the gate stays closed.
    pub(crate) fn closed_for(&self) -> Duration {
        let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Closes the gate for that long; a later end that is already set stays.
    pub(crate) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.is_none_or(|before| before < until) {
            *closed = Some(until);
        }
    }
}

/// What a Retry-After header asks for (RFC 9110 section 10.2.3): seconds, or an HTTP date. A date that has
/// passed is no wait at all; what cannot be read is none either.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that they overflow mean "never"; the caller's bound decides.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_printed() {
        let rate: Rate = "100/min".parse().unwrap();
        assert_eq!(rate.interval(), Duration::from_millis(600));
        assert_eq!(rate.to_string(), "100/min");
        assert_eq!("5/s".parse::<Rate>().unwrap().interval(), Duration::from_millis(200));
        assert_eq!(rate.time_for(500), Duration::from_secs(300));
        for wrong in ["100", "0/s", "-1/s", "5/day", "/s", "1.5/s", ""] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert!(retry_after("99999999999999999999999", now).unwrap() > Duration::from_secs(1 << 30));
        for wrong in ["", "soon", "-1", "1.5", "Sun, 99 Nov"] {
            assert_eq!(retry_after(wrong, now), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_pause_holds_every_request_and_the_longer_one_wins() {
        let pace = Pace::new(None);
        pace.pause(Duration::from_millis(80));
        pace.pause(Duration::from_millis(10));
        let before = Instant::now();
        pace.turn().await;
        assert!(before.elapsed() >= Duration::from_millis(80));
    }

    #[tokio::test]
    async fn a_rate_spaces_requests() {
        let pace = Pace::new(Some("50/s".parse().unwrap()));
        let before = Instant::now();
        for _ in 0..5 {
            pace.turn().await;
        }
        assert!(before.elapsed() >= Duration::from_millis(79), "{:?}", before.elapsed());
    }
}
