//! Push providers, one folder each: the provider's form of a request, its keys, its connection and
//! what its answers mean.
//!
//! Deliberately absent: whether and when to push, order, retries, the life of a token. A provider
//! gets one [`PushRequest`] and gives one [`Answer`]; it repeats a request by itself only where
//! the provider certainly did not process it (a stale key token, a stream refused by GOAWAY, a
//! field it refused), and then once.
//!
//! Nothing here logs a token, a title, a body or a key.
//!
//! Read [`Provider`] and [`Providers`] first, then `apns/reasons.rs` and `fcm/codes.rs`.

mod answers;
mod apns;
mod bearer;
mod clock;
mod codes;
mod config;
mod console;
mod data;
mod digest;
mod fcm;
mod form;
mod harmony;
mod health;
mod honor;
mod huawei;
mod jpush;
mod jwt;
mod key_file;
#[cfg(test)]
mod kit;
mod lifetime;
mod meizu;
mod notify_id;
mod oauth;
mod opening;
mod oppo;
mod overrides;
mod providers;
mod receipt;
mod receipt_tag;
#[cfg(test)]
mod samples;
mod text;
mod transport;
mod vivo;
mod webhook;
mod webpush;
mod xiaomi;

use std::future::Future;
use std::pin::Pin;

use nightjar_model::WallMs;
use nightjar_push::{Answer, PushRequest};

pub use apns::{Apns, ApnsKind};
pub use config::{ApnsConfig, FcmConfig, ProviderConfigError, PushConfig};
pub use console::{CONSOLE_PUSHES_MAX, Console, ConsolePush};
pub use fcm::Fcm;
pub use harmony::{Harmony, HarmonyConfig};
pub use health::{Failure, Health};
pub use honor::{Honor, HonorConfig};
pub use huawei::{Huawei, HuaweiConfig};
pub use jpush::{Jpush, JpushConfig};
pub use key_file::KeyFile;
pub use meizu::{Meizu, MeizuConfig};
pub use opening::{OpenError, open_one, shown};
pub use oppo::{Oppo, OppoConfig};
pub use providers::Providers;
pub use receipt::{RECEIPTS_MAX, Receipt, ReceiptError, ReceiptEvent, ReceiptRequest};
pub use vivo::{Vivo, VivoConfig};
pub use webhook::{Webhook, WebhookConfig};
pub use webpush::{UnifiedPushConfig, WebPush, WebPushConfig};
pub use xiaomi::{Xiaomi, XiaomiConfig};

/// What a [`Provider`] answers with, later.
pub type AnswerFuture<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// One push service with one set of keys.
pub trait Provider: Send + Sync {
    /// The word a binding names it by: `apns`, `fcm`, `console`.
    fn name(&self) -> &'static str;

    /// Hands one request over.
    ///
    /// Always ends, within about thirty seconds at the very worst, and never fails otherwise than
    /// by its answer. Dropping the future gives the request up.
    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a>;

    /// What apps subscribe with, where they must: the public half of the VAPID key, base64url.
    fn public_key(&self) -> Option<String> {
        None
    }

    /// Reads what the vendor reports later, once it proved that it is the vendor. `now` is for the
    /// age of signatures.
    ///
    /// # Errors
    /// [`ReceiptError`]; nothing of the report counts then.
    fn receipts(
        &self,
        _request: &ReceiptRequest<'_>,
        _now: WallMs,
    ) -> Result<Vec<Receipt>, ReceiptError> {
        Err(ReceiptError::NotOffered)
    }
}
