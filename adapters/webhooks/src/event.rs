//! What a sender reads of an event: its type, and whose it is.

use serde::Deserialize;

/// An event as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) kind: String,
    /// Events of one user are sent in order.
    pub(crate) user: String,
    pub(crate) json: String,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data {
    uid: Option<String>,
    uids: Vec<String>,
    from: Option<String>,
}

impl Event {
    /// One that names nobody goes in order with the others that do not.
    pub(crate) fn read(number: u64, json: String) -> Self {
        let frame = serde_json::from_str::<Frame>(&json).ok();
        let (kind, data) = frame.map(|frame| (frame.kind, frame.data)).unwrap_or_default();
        let user = data.uid.or_else(|| data.uids.into_iter().next()).or(data.from);
        Self { number, kind, user: user.unwrap_or_default(), json }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_some_users() {
        for (json, kind, user) in [
            (r#"{"type":"message.created","data":{"from":"alice"}}"#, "message.created", "alice"),
            (
                r#"{"type":"message.offline","data":{"message":{"from":"alice"},"uids":["bob"]}}"#,
                "message.offline",
                "bob",
            ),
            (r#"{"type":"push.outcome","data":{"uid":"carol"}}"#, "push.outcome", "carol"),
            ("nothing", "", ""),
        ] {
            let event = Event::read(1, json.into());
            assert_eq!((event.kind.as_str(), event.user.as_str()), (kind, user), "{json}");
        }
    }
}
