//! Credentials an operator gives while the server runs: JSON in, an open provider out.
//!
//! The options are those of the configuration file, whatever the provider. An option that ends in
//! `_file` may be given as its text instead, under the name without the ending.

use std::sync::Arc;

use nightjar_model::BindingKey;
use serde_json::{Map, Value, json};

use crate::{Provider, ProviderConfigError, Providers, PushConfig};

/// Options that are given back as they are; every other may be a secret.
const SHOWN: &[&str] = &[
    "allow_private",
    "badge_class",
    "base_url",
    "category",
    "channel_id",
    "classification",
    "app_id",
    "client_id",
    "environment",
    "key_id",
    "notify_level",
    "package_name",
    "project_id",
    "receipt_id",
    "receipt_user",
    "safe_text",
    "subject",
    "team_id",
    "token_url",
    "topic",
    "ttl_s_max",
    "url",
];

/// Why options open no provider.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no provider of this name.
    #[error("there is no provider '{given}'; known are {known}")]
    UnknownProvider {
        /// What was given.
        given: String,
        /// What may be.
        known: String,
    },
    /// An option is missing, unknown or of the wrong kind.
    #[error("{0}")]
    Options(String),
    /// An option has a value that cannot be used.
    #[error("{}: {}", .0.option, .0.reason)]
    Value(#[from] ProviderConfigError),
}

/// Opens a provider as its table in the configuration would. Connects nowhere.
///
/// # Errors
/// [`OpenError`] says which option is wrong, and what with it.
pub fn open_one(
    key: &BindingKey,
    options: &Map<String, Value>,
) -> Result<Arc<dyn Provider>, OpenError> {
    let BindingKey { provider, credential } = key;
    let known = known();
    if !known.contains(provider) {
        let known = known.join(", ");
        return Err(OpenError::UnknownProvider { given: provider.clone(), known });
    }
    let mut options = options.clone();
    texts_of_files(&mut options);
    let config: PushConfig = serde_json::from_value(json!({provider: {credential: options}}))
        .map_err(|error| OpenError::Options(error.to_string()))?;
    let providers = Providers::open(&config)?;
    Ok(providers.get(key).expect("the configuration holds this credential and no other"))
}

/// Every provider that has a table in the configuration.
fn known() -> Vec<String> {
    match json!(PushConfig::default()) {
        Value::Object(tables) => tables.keys().cloned().collect(),
        _ => unreachable!("a configuration is an object of tables"),
    }
}

/// `key: "…"` becomes `key_file: {"text": "…"}` where no option is called `key`.
fn texts_of_files(options: &mut Map<String, Value>) {
    for stem in ["cert", "key", "service_account", "vapid_key"] {
        let Some(text) = options.remove(stem) else { continue };
        let text = match text {
            Value::Object(_) => text.to_string(),
            Value::String(text) => text,
            other => {
                options.insert(stem.to_owned(), other);
                continue;
            }
        };
        options.insert(format!("{stem}_file"), json!({"text": text}));
    }
}

/// Options as an operator may see them again: whatever may be a secret is `***`.
#[must_use]
pub fn shown(options: &Map<String, Value>) -> Map<String, Value> {
    let is_path = |name: &str, value: &Value| name.ends_with("_file") && value.is_string();
    let show = |(name, value): (&String, &Value)| {
        let is_shown = SHOWN.contains(&name.as_str()) || is_path(name, value);
        (name.clone(), if is_shown { value.clone() } else { "***".into() })
    };
    options.iter().map(show).collect()
}

#[cfg(test)]
mod tests {
    use nightjar_provider_servers::{ApnsServer, FcmServer, KEY_ID, TEAM_ID, TOPIC};

    use super::*;

    fn open(provider: &str, options: &Value) -> Result<Arc<dyn Provider>, String> {
        let key = BindingKey { provider: provider.into(), credential: "new".into() };
        open_one(&key, options.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_key_may_be_a_file_or_its_text() {
        let server = ApnsServer::start().await;
        let pem = std::fs::read_to_string(server.key_file()).unwrap();
        let mut options = json!({
            "base_url": server.base_url(), "team_id": TEAM_ID, "key_id": KEY_ID,
            "topic": TOPIC, "key": pem,
        });
        assert_eq!(open("apns", &options).unwrap().name(), "apns");
        options.as_object_mut().unwrap().remove("key");
        options["key_file"] = server.key_file().to_str().into();
        assert_eq!(open("apns", &options).unwrap().name(), "apns");
    }

    #[tokio::test]
    async fn a_service_account_may_be_an_object() {
        let server = FcmServer::start().await;
        let account = std::fs::read_to_string(server.service_account_file()).unwrap();
        let account: Value = serde_json::from_str(&account).unwrap();
        let options = json!({"base_url": server.base_url(), "service_account": account});
        assert_eq!(open("fcm", &options).unwrap().name(), "fcm");
    }

    #[test]
    fn mistakes_name_the_option_and_repeat_no_key() {
        let apns = json!({"team_id": "T", "key_id": "K", "topic": "t"});
        let with = |name: &str, value: &str| {
            let mut options = apns.clone();
            options[name] = value.into();
            options
        };
        let told = [
            open("pigeon", &apns),
            open("apns", &apns),
            open("apns", &with("keyfile", "x")),
            open("apns", &with("key", "-----BEGIN PRIVATE KEY-----\nhush")),
            open("apns", &with("key_file", "/nowhere/key.p8")),
            open("fcm", &json!({"service_account": 5})),
            open("fcm", &json!({"service_account": "hush"})),
        ];
        let told: Vec<String> = told.into_iter().map(|opened| opened.err().unwrap()).collect();
        assert!(told[0].starts_with("there is no provider 'pigeon'; known are apns, apns_"));
        let told = told[1..].join("\n");
        assert!(!told.contains("hush"), "{told}");
        insta::assert_snapshot!(told);
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown_again() {
        let options = json!({
            "key_file": "/etc/key.p8", "key": "hush", "app_secret": "hush", "topic": "com.example",
            "vapid_key_file": {"text": "hush"}, "of_tomorrow": "hush",
        });
        let shown = Value::Object(shown(options.as_object().unwrap()));
        assert!(!shown.to_string().contains("hush"), "{shown}");
        assert_eq!(
            (&shown["topic"], &shown["key_file"]),
            (&"com.example".into(), &"/etc/key.p8".into())
        );
    }
}
