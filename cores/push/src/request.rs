//! What a provider is asked to do, before it has the provider's form.

use nightjar_model::{
    Binding, ConversationId, DeviceId, MessageId, NotificationId, Seq, Uid, WallMs,
};

/// Providers whose pushes cannot be mere notifications: a call must be reported, an activity must
/// change. They are used for messages that name their credential, and for nothing else.
const ON_REQUEST: [&str; 2] = ["apns_liveactivity", "apns_voip"];

/// Whether a provider is used only for messages whose filter names the credential.
#[must_use]
pub fn is_on_request(provider: &str) -> bool {
    ON_REQUEST.contains(&provider)
}

/// One request to one provider for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRequest {
    /// Whose device.
    pub uid: Uid,
    /// Which device.
    pub device_id: DeviceId,
    /// Where it goes.
    pub binding: Binding,
    /// What a person sees; `None` for a withdrawal, which shows nothing.
    pub alert: Option<Alert>,
    /// What the app reads.
    pub data: PushData,
    /// What the sender wants merged into this provider's payload; our keys win.
    pub overrides: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What a person sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// First line.
    pub title: String,
    /// The text.
    pub body: String,
    /// Name of a sound; `None` plays the platform's default.
    pub sound: Option<String>,
}

/// The data part. Every provider carries it flat; `docs/push.md` says where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushData {
    /// The message; `None` for a withdrawal.
    pub mid: Option<MessageId>,
    /// Its conversation.
    pub conv: ConversationId,
    /// Its place; for a withdrawal the last place withdrawn.
    pub seq: Seq,
    /// The badge's version.
    pub bv: u64,
    /// The absolute unread total.
    pub badge: u64,
    /// When the push is of no use any more.
    pub exp: WallMs,
    /// What the device calls the notification; `None` for a withdrawal.
    pub nid: Option<NotificationId>,
    /// Notifications to take off the screen.
    pub wd: Vec<NotificationId>,
    /// The sender's own keys: a JSON object. Ours win.
    pub custom: Option<String>,
}

/// Version of the data part's form.
pub const DATA_VERSION: u32 = 1;

impl PushData {
    /// The data part as one flat JSON object, the sender's keys first so that ours win.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut object: serde_json::Map<_, _> = self
            .custom
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        object.insert("v".into(), DATA_VERSION.into());
        object.insert("conv".into(), self.conv.as_str().into());
        object.insert("seq".into(), self.seq.into());
        object.insert("bv".into(), self.bv.into());
        object.insert("badge".into(), self.badge.into());
        if let (Some(mid), Some(nid)) = (self.mid, &self.nid) {
            object.insert("mid".into(), mid.to_string().into());
            object.insert("nid".into(), nid.as_str().into());
            object.insert("exp".into(), self.exp.0.into());
        }
        if self.wd.is_empty() {
            object.remove("wd");
        } else {
            let ids = self.wd.iter().map(|nid| nid.as_str().into()).collect();
            object.insert("wd".into(), serde_json::Value::Array(ids));
        }
        object
    }
}
