//! The data part of a push, as it reaches an app.

use nightjar_model::{ConversationId, MessageId, NotificationId, Seq, WallMs};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a push says besides its text (docs/push.md, "What arrives").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The message, and what to call its notification; `None` of a push that only takes back.
    pub alert: Option<(MessageId, NotificationId)>,
    /// Where.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
    /// The user's unread total.
    pub badge: u64,
    /// Its version.
    pub bv: u64,
    /// From then on nobody needs to be told.
    pub expires_at: Option<WallMs>,
    /// Notifications to take off the screen.
    pub withdraw: Vec<NotificationId>,
    /// The provider gave it a lower priority than it was sent with, as the system says; not part of
    /// what was sent.
    #[serde(default)]
    pub is_deprioritised: bool,
}

impl Push {
    /// Reads the JSON object a provider handed over; what stands beside our names is passed over.
    /// Some providers carry texts only, so a number, and the list, may come as text. `None` if it
    /// is no push of ours.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let data: Value = serde_json::from_str(json).ok()?;
        let text = |name: &str| data.get(name).and_then(Value::as_str);
        let mid = text("mid").map(MessageId::parse).transpose().ok()?;
        let nid = text("nid").map(NotificationId::parse).transpose().ok()?;
        Some(Self {
            alert: mid.map(|mid| (mid, nid.unwrap_or_else(|| NotificationId::message(mid)))),
            conversation: ConversationId::parse(text("conv")?).ok()?,
            seq: number(data.get("seq"))?,
            badge: number(data.get("badge"))?,
            bv: number(data.get("bv"))?,
            expires_at: number(data.get("exp")).map(WallMs),
            withdraw: ids(data.get("wd")),
            is_deprioritised: false,
        })
    }
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

fn ids(value: Option<&Value>) -> Vec<NotificationId> {
    let list = match value {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(value) => value.clone(),
        None => Value::Null,
    };
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.filter_map(|id| NotificationId::parse(id).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MID: &str = "019a0000-0000-7000-8000-000000000001";

    #[test]
    fn numbers_and_the_list_may_be_texts() {
        let apns = format!(
            r#"{{"aps":{{}},"v":1,"mid":"{MID}","nid":"m.{MID}","conv":"d:alice:bob","seq":3,
                "badge":7,"bv":9,"exp":5,"wd":["m.x","c.g:crew"]}}"#
        );
        let fcm = format!(
            r#"{{"v":"1","mid":"{MID}","nid":"m.{MID}","conv":"d:alice:bob","seq":"3","badge":"7",
                "bv":"9","exp":"5","wd":"[\"m.x\",\"c.g:crew\"]"}}"#
        );
        let push = Push::parse(&apns).unwrap();
        assert_eq!(Push::parse(&fcm), Some(push.clone()));
        assert_eq!((push.seq, push.badge, push.bv, push.withdraw.len()), (3, 7, 9, 2));
        assert_eq!(push.alert.unwrap().1.as_str(), format!("m.{MID}"));
    }

    #[test]
    fn a_withdrawal_has_no_message_and_a_strange_push_is_none() {
        let withdrawal = r#"{"v":1,"wd":["m.x"],"conv":"g:crew","seq":1,"bv":2,"badge":0}"#;
        assert_eq!(Push::parse(withdrawal).unwrap().alert, None);
        let no_conversation = r#"{"v":1,"seq":1,"bv":2,"badge":0}"#;
        for strange in ["", "[]", r#"{"aps":{"alert":"x"}}"#, no_conversation] {
            assert_eq!(Push::parse(strange), None, "{strange}");
        }
    }
}
