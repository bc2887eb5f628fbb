//! Fits what a person sees into what a vendor shows.

use nightjar_push::Alert;
use unicode_segmentation::UnicodeSegmentation as _;

/// What stands where text was cut, and for a text of nothing.
const ELLIPSIS: &str = "…";

/// How a vendor counts the characters of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// UTF-16 units: the strictest reading of "characters", and that of the vendors' own Java.
    Utf16,
    /// Half widths: one for ASCII, two for every other UTF-16 unit.
    HalfWidths,
}

impl Count {
    /// The length of a text.
    pub(crate) fn of(self, text: &str) -> usize {
        let units = |c: char| match self {
            Self::HalfWidths if !c.is_ascii() => 2 * c.len_utf16(),
            Self::Utf16 | Self::HalfWidths => c.len_utf16(),
        };
        text.chars().map(units).sum()
    }
}

/// The most a vendor shows of a notification.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Of the title.
    pub(crate) title: usize,
    /// Of the text below it.
    pub(crate) body: usize,
    pub(crate) count: Count,
}

/// Title and body within `limits`. Neither is empty, which vendors refuse: each stands in for the
/// other.
pub(crate) fn shown(alert: &Alert, limits: Limits) -> (String, String) {
    let (title, body) = match (alert.title.trim(), alert.body.trim()) {
        ("", "") => (ELLIPSIS, ELLIPSIS),
        ("", body) => (body, body),
        (title, "") => (title, title),
        pair => pair,
    };
    (fit(title, limits.title, limits.count), fit(body, limits.body, limits.count))
}

/// The text, cut between grapheme clusters where it is longer than `max`; an ellipsis, which
/// counts too, marks the cut.
pub(crate) fn fit(text: &str, max: usize, count: Count) -> String {
    if count.of(text) <= max {
        return text.to_owned();
    }
    let mut room = max.saturating_sub(count.of(ELLIPSIS));
    let mut out = String::new();
    for grapheme in text.graphemes(true) {
        let Some(rest) = room.checked_sub(count.of(grapheme)) else { break };
        room = rest;
        out.push_str(grapheme);
    }
    out + ELLIPSIS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four people joined by three ZWJ: one grapheme, 11 UTF-16 units.
    const FAMILY: &str = "👨‍👩‍👧‍👦";

    #[test]
    fn a_text_is_cut_between_what_people_see_as_characters() {
        let utf16 = |text: &str, max| fit(text, max, Count::Utf16);
        assert_eq!(utf16("hello", 5), "hello");
        assert_eq!(utf16("hello!", 5), "hell…");
        assert_eq!(utf16("今天中午吃什么", 5), "今天中午…");
        assert_eq!(utf16(FAMILY, 11), FAMILY);
        assert_eq!(utf16(&format!("a{FAMILY}"), 11), "a…");
        assert_eq!(utf16(&format!("a{FAMILY}bc"), 13), format!("a{FAMILY}…"));
        // One cluster each: e and its accent; shin and its points.
        assert_eq!(utf16("cafe\u{301}!", 5), "caf…");
        assert_eq!(utf16("ש\u{5c1}\u{5b8}לום", 4), "ש\u{5c1}\u{5b8}…");
        assert_eq!(utf16("مرحبا بالعالم", 6), "مرحبا…");
        assert_eq!(utf16("two", 0), "…");
    }

    #[test]
    fn half_widths_count_a_chinese_character_twice() {
        let half = |text: &str, max| fit(text, max, Count::HalfWidths);
        assert_eq!(half("今天中午", 8), "今天中午");
        assert_eq!(half("今天中午吃", 8), "今天中…");
        assert_eq!(half("ab今天中午", 8), "ab今天…");
    }

    #[test]
    fn neither_title_nor_body_is_empty() {
        let limits = Limits { title: 4, body: 6, count: Count::Utf16 };
        let shown = |title: &str, body: &str| {
            shown(&Alert { title: title.into(), body: body.into(), sound: None }, limits)
        };
        let pair = |title: &str, body: &str| (title.to_owned(), body.to_owned());
        assert_eq!(shown("Alice", "Lunch?"), pair("Ali…", "Lunch?"));
        assert_eq!(shown(" ", "Lunch?"), pair("Lun…", "Lunch?"));
        assert_eq!(shown("Bob", ""), pair("Bob", "Bob"));
        assert_eq!(shown("", "\n"), pair("…", "…"));
    }
}
