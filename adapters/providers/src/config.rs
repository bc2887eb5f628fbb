//! The tables `[push.PROVIDER.NAME]`. Those of APNs and FCM are here, every other with its provider.

use std::collections::BTreeMap;
use std::fmt;

use http::Uri;
use nightjar_model::Environment;
use serde::{Deserialize, Deserializer, Serialize};

use crate::transport::Origin;
use crate::{
    HarmonyConfig, HonorConfig, HuaweiConfig, JpushConfig, KeyFile, MeizuConfig, OppoConfig,
    UnifiedPushConfig, VivoConfig, WebPushConfig, WebhookConfig, XiaomiConfig,
};

/// The named credentials of every provider. All maps are empty by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PushConfig {
    /// `[push.apns.NAME]`.
    pub apns: BTreeMap<String, ApnsConfig>,
    /// `[push.apns_voip.NAME]`: calls.
    pub apns_voip: BTreeMap<String, ApnsConfig>,
    /// `[push.apns_liveactivity.NAME]`: Live Activities.
    pub apns_liveactivity: BTreeMap<String, ApnsConfig>,
    /// `[push.fcm.NAME]`.
    pub fcm: BTreeMap<String, FcmConfig>,
    /// `[push.honor.NAME]`.
    pub honor: BTreeMap<String, HonorConfig>,
    /// `[push.harmony.NAME]`.
    pub harmony: BTreeMap<String, HarmonyConfig>,
    /// `[push.huawei.NAME]`.
    pub huawei: BTreeMap<String, HuaweiConfig>,
    /// `[push.xiaomi.NAME]`.
    pub xiaomi: BTreeMap<String, XiaomiConfig>,
    /// `[push.vivo.NAME]`.
    pub vivo: BTreeMap<String, VivoConfig>,
    /// `[push.oppo.NAME]`.
    pub oppo: BTreeMap<String, OppoConfig>,
    /// `[push.meizu.NAME]`.
    pub meizu: BTreeMap<String, MeizuConfig>,
    /// `[push.webpush.NAME]`.
    pub webpush: BTreeMap<String, WebPushConfig>,
    /// `[push.jpush.NAME]`.
    pub jpush: BTreeMap<String, JpushConfig>,
    /// `[push.webhook.NAME]`.
    pub webhook: BTreeMap<String, WebhookConfig>,
    /// `[push.unifiedpush.NAME]`.
    pub unifiedpush: BTreeMap<String, UnifiedPushConfig>,
}

/// One APNs key for one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApnsConfig {
    /// Where requests go instead of Apple, whatever the environment. Default: by environment.
    /// `https://`, or `http://` on loopback, then HTTP/2 with prior knowledge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The ten characters of the developer team; needed unless there is a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// The ten characters of the key; needed unless there is a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The `.p8` file: a P-256 key, PKCS#8, PEM. Beside `cert_file` the certificate's key, PEM.
    pub key_file: KeyFile,
    /// A TLS client certificate with its chain, PEM, instead of a signed token. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<KeyFile>,
    /// The app's bundle id.
    pub topic: String,
    /// For bindings that do not say theirs. Default: `production`.
    #[serde(default = "production")]
    pub environment: Environment,
}

fn production() -> Environment {
    Environment::Production
}

/// One Firebase project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FcmConfig {
    /// Where messages go. Default: `https://fcm.googleapis.com`. `http://` on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where access tokens come from. Default: `token_uri` of the service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// The JSON key file of a service account that may send.
    pub service_account_file: KeyFile,
}

/// An option that consoles show as a number, and people write with or without quotes.
pub(crate) fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a number")]
    enum Given {
        Text(String),
        Number(u64),
    }
    Ok(match Given::deserialize(from)? {
        Given::Text(text) => text,
        Given::Number(number) => number.to_string(),
    })
}

/// The same, where it may be left out.
pub(crate) fn some_text_or_number<'de, D>(from: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    text_or_number(from).map(Some)
}

/// A credential that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{table}] {option}: {reason}")]
pub struct ProviderConfigError {
    /// The table, as `push.apns.main`.
    pub table: String,
    /// The option within it.
    pub option: &'static str,
    /// What is wrong with its value.
    pub reason: String,
}

/// The table an error will name.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) provider: &'static str,
    pub(crate) name: &'a str,
}

impl Table<'_> {
    /// An error about one of its options.
    pub(crate) fn error(
        self,
        option: &'static str,
        reason: impl fmt::Display,
    ) -> ProviderConfigError {
        let table = format!("push.{}.{}", self.provider, self.name);
        ProviderConfigError { table, option, reason: reason.to_string() }
    }

    /// Refuses an option that is there and says nothing, telling what to do.
    pub(crate) fn required(
        self,
        option: &'static str,
        value: &str,
        advice: &str,
    ) -> Result<(), ProviderConfigError> {
        match value.trim() {
            "" => Err(self.error(option, format!("is empty; {advice}"))),
            _ => Ok(()),
        }
    }

    /// Refuses an id that cannot stand in a path as it is.
    pub(crate) fn path_word(
        self,
        option: &'static str,
        id: &str,
    ) -> Result<(), ProviderConfigError> {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match !id.is_empty() && id.bytes().all(is_safe) {
            true => Ok(()),
            false => Err(self.error(option, "is no id; copy it from the vendor's console")),
        }
    }

    /// The URL of a path at the server an option names, or at the vendor's own.
    pub(crate) fn url(
        self,
        option: &'static str,
        given: Option<&str>,
        vendors: &str,
        path: &str,
    ) -> Result<Uri, ProviderConfigError> {
        let origin =
            Origin::parse(given.unwrap_or(vendors)).map_err(|reason| self.error(option, reason))?;
        origin.uri(path).map_err(|reason| self.error(option, reason))
    }

    /// Refuses a `receipt_url` that no vendor would post to.
    pub(crate) fn receipt_url(
        self,
        url: Option<&str>,
        chars_max: usize,
    ) -> Result<(), ProviderConfigError> {
        let Some(url) = url else { return Ok(()) };
        let error = |reason: String| self.error("receipt_url", reason);
        if url.chars().count() > chars_max {
            return Err(error(format!("has more than {chars_max} characters")));
        }
        Origin::parse(url).map(drop).map_err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_interface_are_read() {
        let config: PushConfig = toml::from_str(
            r#"
            [apns.main]
            team_id = "TEAM567890"
            key_id = "KEY4567890"
            key_file = "AuthKey.p8"
            topic = "com.example.chat"
            [fcm.main]
            base_url = "http://127.0.0.1:9"
            service_account_file = "account.json"
            "#,
        )
        .unwrap();
        assert_eq!(config.apns["main"].environment, Environment::Production);
        assert_eq!(config.fcm["main"].token_url, None);
    }

    #[test]
    fn an_unknown_option_is_named() {
        let error =
            toml::from_str::<PushConfig>("[fcm.main]\nservice_account = \"x\"").unwrap_err();
        assert!(error.to_string().contains("service_account"), "{error}");
    }
}
