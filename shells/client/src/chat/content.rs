//! What messages say, fit for a terminal.

use nightjar_model::{Content, WallMs};
use serde_json::Value;

/// The text of a message in one line.
pub(crate) fn text(content: &Content) -> String {
    let Ok(Value::Object(object)) = serde_json::from_slice(content) else {
        return "[unreadable]".to_owned();
    };
    let field = |name: &str| object.get(name).and_then(Value::as_str);
    let kind = field("type").unwrap_or_default();
    let text = match kind {
        "text" => field("text").unwrap_or_default().to_owned(),
        "recalled" => "[taken back]".to_owned(),
        "members" => "[the members changed]".to_owned(),
        kind => format!("[{kind}]"),
    };
    printable(&text)
}

/// Whether it only says something of another message.
pub(super) fn is_amending(content: &Content) -> bool {
    let read: Option<Value> = serde_json::from_slice(content).ok();
    let kind = read.as_ref().and_then(|content| content.get("type")?.as_str());
    matches!(kind, Some("recall" | "edit" | "reaction"))
}

/// A text message's content.
pub(crate) fn content(text: &str) -> Content {
    serde_json::json!({ "type": "text", "text": text }).to_string().into()
}

/// Nothing in it moves the cursor, rings a bell, changes colours or turns the line around.
pub(super) fn printable(text: &str) -> String {
    let fit = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(fit).collect()
}

/// The time of day, UTC.
pub(super) fn clock(at: WallMs) -> String {
    let seconds = at.0 / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mred\u{7}\u{9b}2J"), "a\u{fffd}[31mred\u{fffd}\u{fffd}2J");
        assert_eq!(printable("one\ntwo\r\tthree"), "one two  three");
        assert_eq!(printable("abc\u{202e}def"), "abc\u{fffd}def");
        assert_eq!(printable("grüße 你好 👋"), "grüße 你好 👋");
    }

    #[test]
    fn a_text_comes_back_as_it_was_typed() {
        for line in ["hello", "\"quoted\" \\ and }", ""] {
            assert_eq!(text(&content(line)), line);
        }
        assert_eq!(
            text(&Content::from_static(br#"{"type":"text","text":"a\u001bb"}"#)),
            "a\u{fffd}b"
        );
        assert_eq!(
            text(&Content::from_static(br#"{"type":"pic\u001bture"}"#)),
            "[pic\u{fffd}ture]"
        );
        assert_eq!(text(&Content::from_static(b"no json")), "[unreadable]");
    }

    #[test]
    fn times_are_of_the_day() {
        assert_eq!(clock(WallMs(1_700_000_000_000)), "22:13:20");
    }
}
