//! Recording push services on loopback, for tests: an APNs that speaks HTTP/2 with prior
//! knowledge, and the others, with their token endpoints, that speak HTTP/1.1 or that.
//!
//! Each takes a free port, verifies the signatures it is shown, records every request and answers
//! as scripted per device token; without a script it behaves like the real service and refuses
//! what that would refuse. Waiting is for a state of the record, never for time.
//!
//! Deliberately absent: the product. This crate knows the providers' pages only.
//!
//! Read [`VendorServer`] first; a new vendor implements the trait beside it in a file of its own.

mod apns;
mod bearer;
mod fcm;
mod fleet;
mod harmony;
mod honor;
mod huawei;
mod jpush;
mod jwt;
pub mod keys;
mod meizu;
mod oppo;
mod raw;
mod record;
mod script;
mod vendor;
mod vivo;
mod webhook;
mod webpush;
mod xiaomi;

pub use apns::{ApnsServer, ConnectionSeen, KEY_ID, TEAM_ID, TOPIC};
pub use fcm::{FcmServer, PROJECT_ID};
pub use fleet::Fleet;
pub use harmony::{HARMONY_CLIENT_ID, HARMONY_PROJECT_ID, HarmonyServer};
pub use honor::{HONOR_APP_ID, HONOR_CLIENT_ID, HONOR_CLIENT_SECRET, HonorServer};
pub use huawei::{
    HUAWEI_APP_ID, HUAWEI_APP_SECRET, HUAWEI_PROJECT_ID, HuaweiServer, huawei_signature,
};
pub use jpush::{JPUSH_KEY, JPUSH_SECRET, JpushServer};
pub use jwt::Token;
pub use meizu::{MEIZU_APP_ID, MEIZU_RECEIPT_URL, MEIZU_SECRET, MeizuServer};
pub use oppo::{
    OPPO_APP_KEY, OPPO_CATEGORY, OPPO_CHANNEL, OPPO_RECEIPT_URL, OPPO_SECRET, OppoServer,
};
pub use raw::GoAwayPlan;
pub use record::{Record, Recorded};
pub use script::Script;
pub use vendor::VendorServer;
pub use vivo::{VIVO_APP_ID, VIVO_APP_KEY, VIVO_RECEIPT_URL, VIVO_SECRET, VivoServer};
pub use webhook::{WEBHOOK_SECRET, WebhookServer};
pub use webpush::WebPushServer;
pub use xiaomi::{XIAOMI_CHANNEL, XIAOMI_PACKAGE, XIAOMI_RECEIPT_URL, XIAOMI_SECRET, XiaomiServer};
