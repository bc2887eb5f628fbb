//! What a sender asks of the push of a message.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, Uid};

/// What a sender asks of the push of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PushSpec {
    /// Title instead of the sender's name.
    pub title: Option<String>,
    /// Body instead of the message's text.
    pub body: Option<String>,
    /// Name of a sound.
    pub sound: Option<String>,
    /// Never pushed and never alerted.
    pub silent: bool,
    /// Who is mentioned.
    pub mentions: Mentions,
    /// JSON object that rides along; our reserved keys win.
    pub data: Option<String>,
    /// Told even to who wants not to be told: above modes, mutes and quiet hours.
    #[serde(default)]
    pub force: bool,
    /// Texts by the name of a template.
    pub template: Option<TemplateUse>,
    /// Which devices and credentials.
    pub filter: Option<PushFilter>,
    /// JSON object of a provider's name to what is merged into its payload; our reserved keys
    /// win.
    pub providers: Option<String>,
}

/// Who a message mentions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Mentions {
    /// Nobody.
    #[default]
    Nobody,
    /// These members.
    Users(Vec<Uid>),
    /// Everybody.
    All,
}

impl Mentions {
    /// Whether this user is mentioned.
    #[must_use]
    pub fn includes(&self, uid: &Uid) -> bool {
        match self {
            Self::Nobody => false,
            Self::Users(uids) => uids.contains(uid),
            Self::All => true,
        }
    }
}

/// A template and what stands in its places.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TemplateUse {
    /// Its name.
    pub name: String,
    /// For `{0}`, `{1}`, … of its title.
    pub title_args: Vec<String>,
    /// For those of its body.
    pub body_args: Vec<String>,
}

/// Where a message may be pushed. An empty list of what is accepted accepts all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PushFilter {
    /// Only to these devices.
    pub accept_devices: Vec<DeviceId>,
    /// Not to these.
    pub ignore_devices: Vec<DeviceId>,
    /// Only by these credentials.
    pub accept_credentials: Vec<String>,
    /// Not by these.
    pub ignore_credentials: Vec<String>,
}

impl PushFilter {
    /// Whether the device may be pushed.
    #[must_use]
    pub fn takes_device(&self, device_id: &DeviceId) -> bool {
        takes(&self.accept_devices, &self.ignore_devices, |id| id == device_id)
    }

    /// Whether the credential is asked for by its name.
    #[must_use]
    pub fn names_credential(&self, credential: &str) -> bool {
        self.accept_credentials.iter().any(|name| name == credential)
    }

    /// Whether the credential may be used.
    #[must_use]
    pub fn takes_credential(&self, credential: &str) -> bool {
        takes(&self.accept_credentials, &self.ignore_credentials, |name| name == credential)
    }
}

fn takes<T>(accept: &[T], ignore: &[T], is_it: impl Fn(&T) -> bool) -> bool {
    (accept.is_empty() || accept.iter().any(&is_it)) && !ignore.iter().any(is_it)
}
