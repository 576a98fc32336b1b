//! xsd:dateTime (RFC 7643 §2.3.5): an instant, whatever its lexical form.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// A dateTime as it was written, with what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XsdDateTime {
    /// The instant; without time zone it is read as UTC.
    pub utc: DateTime<Utc>,
    /// Whether a time zone was written. Without one the order against others is undefined in XML Schema.
    pub has_zone: bool,
    /// Whether the zone is UTC.
    pub is_utc: bool,
}

/// Reads `[-]YYYY-MM-DDThh:mm:ss[.f…][Z|±hh:mm]`. `None` for everything else, so also for a date
/// without time, a space instead of `T`, and a lower-case `t` or `z`. `24:00:00` is the next midnight;
/// digits beyond nanoseconds are dropped.
pub fn parse(text: &str) -> Option<XsdDateTime> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (date, time) = text.split_once('T')?;
    let mut date_parts = date.split('-');
    let (year, month, day) = (date_parts.next()?, date_parts.next()?, date_parts.next()?);
    if date_parts.next().is_some() || year.len() < 4 || (year.len() > 4 && year.starts_with('0')) {
        return None;
    }
    // Years that the calendar here cannot hold are cut: a legal, but senseless dateTime must not be called broken.
    let year = digits(year, year.len())?.min(200_000) as i32;
    let year = if negative { -year } else { year };
    let date = NaiveDate::from_ymd_opt(year, digits(month, 2)? as u32, digits(day, 2)? as u32)?;

    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((_, "")) => return None,
        Some((clock, fraction)) => (clock, fraction),
        None => (clock, ""),
    };
    let mut clock_parts = clock.split(':');
    let hour = digits(clock_parts.next()?, 2)? as u32;
    let minute = digits(clock_parts.next()?, 2)? as u32;
    let second = digits(clock_parts.next()?, 2)? as u32;
    if clock_parts.next().is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let local = if hour == 24 {
        if minute != 0 || second != 0 || fraction.bytes().any(|digit| digit != b'0') {
            return None;
        }
        NaiveDateTime::new(date.checked_add_days(Days::new(1))?, NaiveTime::MIN)
    } else {
        // From 60 on, seconds are refused by the calendar; nanoseconds stay below a billion.
        NaiveDateTime::new(date, NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?)
    };

    let offset = match zone {
        "" | "Z" => 0,
        _ => {
            let (sign, rest) = zone.split_at(1);
            let (hours, minutes) = rest.split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            if minutes > 59 || hours * 60 + minutes > 14 * 60 {
                return None;
            }
            let offset = (hours * 60 + minutes) as i64;
            match sign {
                "+" => offset,
                "-" => -offset,
                _ => return None,
            }
        }
    };
    let utc = local.checked_sub_signed(TimeDelta::minutes(offset))?.and_utc();
    Some(XsdDateTime { utc, has_zone: !zone.is_empty(), is_utc: !zone.is_empty() && offset == 0 })
}

/// Exactly `length` decimal digits.
fn digits(text: &str, length: usize) -> Option<u64> {
    let sound = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if !sound {
        return None;
    }
    // Only a year can have so many digits that they overflow.
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_has_many_forms() {
        let instant = parse("2011-05-13T04:42:34Z").unwrap();
        for text in [
            "2011-05-13T04:42:34+00:00",
            "2011-05-13T04:42:34.000Z",
            "2011-05-13T06:42:34+02:00",
            "2011-05-12T23:12:34.0-05:30",
        ] {
            assert_eq!(parse(text).unwrap().utc, instant.utc, "{text}");
        }
        assert!(parse("2011-05-13T04:42:34.0000000001Z").unwrap().utc == instant.utc);
        assert!(parse("2011-05-13T04:42:34.5Z").unwrap().utc > instant.utc);
        let local = parse("2011-05-13T04:42:34").unwrap();
        assert!(!local.has_zone && !local.is_utc);
        assert!(!parse("2011-05-13T04:42:34+01:00").unwrap().is_utc);
        assert_eq!(parse("2011-05-13T24:00:00Z").unwrap().utc, parse("2011-05-14T00:00:00Z").unwrap().utc);
        assert!(parse("-0044-03-15T00:00:00Z").is_some() && parse("123456789-01-01T00:00:00Z").is_some());
    }

    #[test]
    fn what_is_no_date_time_is_refused() {
        for text in [
            "",
            "T",
            "2011-05-13",
            "2011-05-13T",
            "2011-05-13 04:42:34Z",
            "2011-05-13t04:42:34z",
            "2011-05-13T04:42Z",
            "2011-02-30T04:42:34Z",
            "2011-13-01T04:42:34Z",
            "2011-05-13T25:00:00Z",
            "2011-05-13T24:00:01Z",
            "2011-05-13T04:42:60Z",
            "2011-05-13T04:42:34.Z",
            "2011-05-13T04:42:34+0200",
            "2011-05-13T04:42:34+15:00",
            "11-05-13T04:42:34Z",
            "02011-05-13T04:42:34Z",
            "2011-05-13T04:42:34Zz",
            "2011-05-13T04:42:3é",
            "1305261754",
            "2011-05-13T04:42:34.1x",
            "Fri, 13 May 2011 04:42:34 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
