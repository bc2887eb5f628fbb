//! What the answers of all providers have in common.

use std::time::SystemTime;

use http::{HeaderMap, StatusCode, header};
use nightjar_model::Secret;
use nightjar_push::{Answer, Outcome, Scope};

/// The most characters of a vendor's raw words that are kept.
const VENDOR_CHARS_MAX: usize = 200;
/// The most characters of a reason a vendor invented.
const REASON_CHARS_MAX: usize = 64;

/// What a status means when nothing more is known.
pub(crate) fn by_status(status: StatusCode) -> Outcome {
    match status.as_u16() {
        401 => Outcome::AuthExpired,
        403 | 404 => Outcome::ConfigError,
        413 => Outcome::TooLarge,
        429 => Outcome::Throttled,
        400..=499 => Outcome::Reject,
        _ => Outcome::Retry,
    }
}

/// Who has to wait when nothing more is known: keys and rights are those of all messages.
pub(crate) const fn scope(outcome: Outcome) -> Scope {
    match outcome {
        Outcome::AuthExpired | Outcome::ConfigError => Scope::Credential,
        _ => Scope::Message,
    }
}

/// A reason for the trace: the vendor's word if it is one, else the status.
pub(crate) fn reason(word: Option<&str>, status: StatusCode) -> String {
    match word {
        Some(word) if !word.is_empty() => word.chars().take(REASON_CHARS_MAX).collect(),
        _ => format!("http_{}", status.as_u16()),
    }
}

/// A vendor's raw words, shortened, without the token should they repeat it.
pub(crate) fn vendor(raw: &[u8], token: &Secret<String>) -> String {
    let text = String::from_utf8_lossy(raw);
    let text = match token.expose().as_str() {
        "" => text.into_owned(),
        token => text.replace(token, "***"),
    };
    text.chars().filter(|c| !c.is_control()).take(VENDOR_CHARS_MAX).collect()
}

/// `Retry-After` in either of its forms (RFC 9110 §10.2.3), as a wait from now.
pub(crate) fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let wait = at.duration_since(SystemTime::now()).unwrap_or_default();
    u64::try_from(wait.as_millis()).ok()
}

/// The answer where a status is all there is.
pub(crate) fn of_status(status: StatusCode) -> Answer {
    let outcome = by_status(status);
    Answer::new(outcome, reason(None, status)).about(scope(outcome))
}

/// The answer with the wait its headers ask for, where its code says none.
pub(crate) fn heeding(headers: &HeaderMap, answer: Answer) -> Answer {
    let asked = match answer.outcome {
        Outcome::Retry | Outcome::Throttled => retry_after_ms(headers),
        _ => None,
    };
    Answer { retry_after_ms: answer.retry_after_ms.or(asked), ..answer }
}

/// The vendor took the message, and calls it so if it says.
pub(crate) fn accepted(id: Option<&str>) -> Answer {
    let vendor = id.unwrap_or_default().chars().take(VENDOR_CHARS_MAX).collect();
    Answer { vendor, ..Answer::new(Outcome::Delivered, "accepted") }
}

/// An answer this side gives because the vendor sold no authorisation; nothing was sent.
pub(crate) fn unauthorised(reason: &str) -> Answer {
    Answer::unsent(format!("auth: {reason}")).about(Scope::Credential)
}

/// What a vendor answered when it was asked for an authorisation, as the answer to the push that
/// was to go with it. There is no authorisation to renew for that.
pub(crate) fn not_sold(answer: Answer) -> Answer {
    let outcome = match answer.outcome {
        Outcome::Throttled | Outcome::Retry => answer.outcome,
        Outcome::Delivered | Outcome::TooLarge => Outcome::Retry,
        _ => Outcome::ConfigError,
    };
    Answer {
        outcome,
        vendor: answer.vendor,
        retry_after_ms: answer.retry_after_ms,
        ..unauthorised(&answer.reason)
    }
}

/// An answer this side gives where a vendor has no way to take a notification back: nothing is
/// sent. The next push and the next login name it again.
pub(crate) fn no_withdrawal() -> Answer {
    Answer::new(Outcome::Reject, "withdrawal_not_offered")
}

/// An answer this side gives because the keys cannot do what they are for.
pub(crate) fn unsignable() -> Answer {
    Answer::new(Outcome::ConfigError, "signing_failed").about(Scope::Credential)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after_ms(&headers)
        };
        assert_eq!(wait("120"), Some(120_000));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        let hour = SystemTime::now() + std::time::Duration::from_secs(3600);
        let ahead = wait(&httpdate::fmt_http_date(hour)).unwrap();
        assert!((3_500_000..=3_600_000).contains(&ahead), "{ahead}");
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn raw_words_lose_the_token_and_the_rest_of_a_long_page() {
        let token = Secret::new("secret-token".to_owned());
        assert_eq!(vendor(b"bad secret-token\n", &token), "bad ***");
        assert_eq!(vendor("é".repeat(900).as_bytes(), &token).chars().count(), VENDOR_CHARS_MAX);
    }
}
