//! How long a vendor is asked to keep a push for a phone that is off.

use std::ops::RangeInclusive;

use nightjar_model::WallMs;
use nightjar_push::PushRequest;

/// What a withdrawal is kept for: by then the next push or login has told it again.
const WITHDRAWAL_S: u64 = 24 * 3600;

/// What is left of a push in seconds, within what the vendor takes.
pub(crate) fn seconds(request: &PushRequest, now: WallMs, vendor: RangeInclusive<u64>) -> u64 {
    let left = match request.alert {
        Some(_) => request.data.exp.0.saturating_sub(now.0) / 1000,
        None => WITHDRAWAL_S,
    };
    left.clamp(*vendor.start(), *vendor.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_push_is_kept_until_it_expires_as_far_as_the_vendor_keeps_it() {
        let alert = samples::alert("vivo");
        let left = |before_ms| seconds(&alert, WallMs(samples::EXP.0 - before_ms), 60..=86_400);
        assert_eq!([0, 59_000, 61_999, 90_000_000].map(left), [60, 60, 61, 86_400]);
        let withdrawal = samples::withdrawal("vivo");
        assert_eq!(seconds(&withdrawal, samples::EXP, 60..=604_800), WITHDRAWAL_S);
    }
}
