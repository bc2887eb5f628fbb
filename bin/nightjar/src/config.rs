//! The configuration: one TOML file, every option also from `NIGHTJAR_<SECTION>__<KEY>`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use nightjar_model::limits::UNREAD_S_MAX;
use nightjar_model::{PushChoice, Secret, WallMs, Webhook};
use nightjar_providers::{
    ApnsConfig, FcmConfig, HarmonyConfig, HonorConfig, HuaweiConfig, JpushConfig, MeizuConfig,
    OppoConfig, Providers, PushConfig, UnifiedPushConfig, VivoConfig, WebPushConfig, WebhookConfig,
    XiaomiConfig,
};
use nightjar_push::{FieldError, choice_from_json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::xmpp::XmppSection;

/// What is wrong with a configuration: where, which option, and what to do.
#[derive(Debug)]
pub(crate) struct ConfigError(String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Everything an operator can choose.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// `[server]`
    pub(crate) server: ServerSection,
    /// `[deadlines]`
    pub(crate) deadlines: DeadlinesSection,
    /// `[heartbeat]`
    pub(crate) heartbeat: HeartbeatSection,
    /// `[limits]`
    pub(crate) limits: LimitsSection,
    /// `[push]` and `[push.PROVIDER.NAME]`
    pub(crate) push: PushSection,
    /// `[native]`
    pub(crate) native: NativeSection,
    /// `[webhooks]`
    pub(crate) webhooks: WebhooksSection,
    /// `[store]`: only `embedded` is offered.
    pub(crate) store: KindSection,
    /// `[bus]`: only `local` is offered.
    pub(crate) bus: KindSection,
    /// `[wukong]`
    pub(crate) wukong: WukongSection,
    /// `[xmpp]`
    pub(crate) xmpp: XmppSection,
}

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerSection {
    /// Where the store is. Default `./nightjar-data`.
    pub(crate) data_dir: PathBuf,
    /// HTTP, WebSocket and console. Default `127.0.0.1:7300`; empty turns it off.
    pub(crate) listen: String,
    /// The operator's key.
    pub(crate) admin_key: Option<Secret<String>>,
    /// More of them, by name.
    pub(crate) admin_keys: BTreeMap<String, Secret<String>>,
    /// Signs user tokens; at least 16 bytes.
    pub(crate) token_secret: Option<Secret<String>>,
    /// A proxy in front ends TLS: permits plain listeners on other addresses than loopback.
    pub(crate) behind_proxy: bool,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            data_dir: "./nightjar-data".into(),
            listen: "127.0.0.1:7300".into(),
            admin_key: None,
            admin_keys: BTreeMap::new(),
            token_secret: None,
            behind_proxy: false,
        }
    }
}

/// `[deadlines]`: how long a device may stay silent before it is pushed, in ms.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DeadlinesSection {
    /// In the foreground. Default 5000.
    pub(crate) foreground_ms: u64,
    /// In its grace. Default 2000.
    pub(crate) grace_ms: u64,
    /// XMPP inactive. Default 2000.
    pub(crate) inactive_ms: u64,
}

impl Default for DeadlinesSection {
    fn default() -> Self {
        Self { foreground_ms: 5_000, grace_ms: 2_000, inactive_ms: 2_000 }
    }
}

/// `[heartbeat]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HeartbeatSection {
    /// Silence after which the server pings, in s. Default 30.
    pub(crate) interval_s: u32,
    /// How long it waits for any answer, in s. Default 15.
    pub(crate) timeout_s: u32,
    /// Unanswered pings before the connection ends. Default 1.
    pub(crate) misses: u32,
}

impl Default for HeartbeatSection {
    fn default() -> Self {
        Self { interval_s: 30, timeout_s: 15, misses: 1 }
    }
}

/// `[limits]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    /// Handshakes of one address in a second; 0 is without limit. Default 5000.
    pub(crate) handshakes_per_s: u32,
    /// Connections in all. Default 100000.
    pub(crate) connections: usize,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self { handshakes_per_s: 5_000, connections: 100_000 }
    }
}

/// `[push]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PushSection {
    /// Which devices are pushed: `any_not_visible` (default), `all_offline`, `primary_only` or
    /// `{ delay_if_active_s = 10 }`.
    pub(crate) policy: serde_json::Value,
    /// From the sixth unseen message of a conversation one updating notification. Default true.
    pub(crate) storm: bool,
    /// What a push shows: `preview` (default), `sender` or `nothing`.
    pub(crate) display: String,
    /// `[push.apns.NAME]`.
    pub(crate) apns: BTreeMap<String, ApnsConfig>,
    /// `[push.apns_voip.NAME]`.
    pub(crate) apns_voip: BTreeMap<String, ApnsConfig>,
    /// `[push.apns_liveactivity.NAME]`.
    pub(crate) apns_liveactivity: BTreeMap<String, ApnsConfig>,
    /// `[push.fcm.NAME]`.
    pub(crate) fcm: BTreeMap<String, FcmConfig>,
    /// `[push.honor.NAME]`.
    pub(crate) honor: BTreeMap<String, HonorConfig>,
    /// `[push.harmony.NAME]`.
    pub(crate) harmony: BTreeMap<String, HarmonyConfig>,
    /// `[push.huawei.NAME]`.
    pub(crate) huawei: BTreeMap<String, HuaweiConfig>,
    /// `[push.webpush.NAME]`.
    pub(crate) webpush: BTreeMap<String, WebPushConfig>,
    /// `[push.jpush.NAME]`.
    pub(crate) jpush: BTreeMap<String, JpushConfig>,
    /// `[push.webhook.NAME]`.
    pub(crate) webhook: BTreeMap<String, WebhookConfig>,
    /// `[push.unifiedpush.NAME]`.
    pub(crate) unifiedpush: BTreeMap<String, UnifiedPushConfig>,
    /// `[push.xiaomi.NAME]`.
    pub(crate) xiaomi: BTreeMap<String, XiaomiConfig>,
    /// `[push.vivo.NAME]`.
    pub(crate) vivo: BTreeMap<String, VivoConfig>,
    /// `[push.oppo.NAME]`.
    pub(crate) oppo: BTreeMap<String, OppoConfig>,
    /// `[push.meizu.NAME]`.
    pub(crate) meizu: BTreeMap<String, MeizuConfig>,
}

impl Default for PushSection {
    fn default() -> Self {
        Self {
            policy: "any_not_visible".into(),
            storm: true,
            display: "preview".into(),
            apns: BTreeMap::new(),
            apns_voip: BTreeMap::new(),
            apns_liveactivity: BTreeMap::new(),
            fcm: BTreeMap::new(),
            honor: BTreeMap::new(),
            harmony: BTreeMap::new(),
            huawei: BTreeMap::new(),
            webpush: BTreeMap::new(),
            jpush: BTreeMap::new(),
            webhook: BTreeMap::new(),
            unifiedpush: BTreeMap::new(),
            xiaomi: BTreeMap::new(),
            vivo: BTreeMap::new(),
            oppo: BTreeMap::new(),
            meizu: BTreeMap::new(),
        }
    }
}

/// `[native]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NativeSection {
    /// Native TCP. Default `127.0.0.1:7301`; empty turns it off.
    pub(crate) listen: String,
    /// Certificate chain, PEM; with `key_file` the listener speaks TLS.
    pub(crate) cert_file: Option<PathBuf>,
    /// Its key, PEM.
    pub(crate) key_file: Option<PathBuf>,
}

impl Default for NativeSection {
    fn default() -> Self {
        Self { listen: "127.0.0.1:7301".into(), cert_file: None, key_file: None }
    }
}

/// `[wukong]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WukongSection {
    /// WKProto over TCP. Default `127.0.0.1:5100`; empty turns it off.
    pub(crate) tcp: String,
    /// WKProto and JSON-RPC over WebSocket. Default `127.0.0.1:5200`; empty turns it off.
    pub(crate) ws: String,
    /// WuKongIM's HTTP API. Default `127.0.0.1:5001`; empty turns it off.
    pub(crate) http: String,
    /// What back ends send in the header `token`. Without one the HTTP API is for loopback only.
    pub(crate) manager_token: Option<Secret<String>>,
    /// `[wukong.webhook]`
    pub(crate) webhook: WukongWebhookSection,
    /// What an app acknowledged and nobody read is pushed so long after it was sent, in s;
    /// 0 never. Default 30.
    pub(crate) push_if_unread_after_s: u32,
}

/// `[wukong.webhook]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WukongWebhookSection {
    /// Where WuKongIM's webhooks go; empty for nowhere. Private addresses are allowed.
    pub(crate) url: String,
}

impl WukongSection {
    /// Where WKProto listens unless somebody chose otherwise.
    pub(crate) const TCP: &str = "127.0.0.1:5100";
    /// The same over WebSocket.
    pub(crate) const WS: &str = "127.0.0.1:5200";
    /// And the HTTP API.
    pub(crate) const HTTP: &str = "127.0.0.1:5001";
}

impl Default for WukongSection {
    fn default() -> Self {
        Self {
            tcp: Self::TCP.into(),
            ws: Self::WS.into(),
            http: Self::HTTP.into(),
            manager_token: None,
            webhook: WukongWebhookSection::default(),
            push_if_unread_after_s: 30,
        }
    }
}

/// `[webhooks]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebhooksSection {
    /// Where events go; empty for nowhere.
    pub(crate) url: String,
    /// Signs them: `whsec_` and base64, or any text.
    pub(crate) secret: Option<Secret<String>>,
    /// Permits loopback and private addresses.
    pub(crate) allow_private: bool,
}

/// `[store]` and `[bus]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KindSection {
    /// Which kind.
    pub(crate) kind: String,
    /// Its address.
    pub(crate) url: String,
}

impl WebhooksSection {
    /// The webhook of this section, if it names one.
    pub(crate) fn webhook(&self) -> Option<Webhook> {
        let secret = self.secret.clone().filter(|_| !self.url.is_empty())?;
        Some(Webhook {
            id: "default".into(),
            url: self.url.clone(),
            secret,
            types: Vec::new(),
            enabled: true,
            allow_private: self.allow_private,
            changed_at: WallMs(0),
        })
    }
}

impl PushSection {
    /// What holds for all users unless an operator chose otherwise at run time.
    pub(crate) fn choice(&self) -> Result<PushChoice, FieldError> {
        let Self { policy, storm, display, .. } = self;
        choice_from_json(&json!({"policy": policy, "storm": storm, "display": display}))
    }

    /// The keys of every provider.
    pub(crate) fn providers(&self) -> PushConfig {
        PushConfig {
            apns: self.apns.clone(),
            apns_voip: self.apns_voip.clone(),
            apns_liveactivity: self.apns_liveactivity.clone(),
            fcm: self.fcm.clone(),
            honor: self.honor.clone(),
            harmony: self.harmony.clone(),
            huawei: self.huawei.clone(),
            xiaomi: self.xiaomi.clone(),
            vivo: self.vivo.clone(),
            oppo: self.oppo.clone(),
            meizu: self.meizu.clone(),
            webpush: self.webpush.clone(),
            jpush: self.jpush.clone(),
            webhook: self.webhook.clone(),
            unifiedpush: self.unifiedpush.clone(),
        }
    }
}

impl Config {
    /// Reads a file (if one is given) and the environment, and checks both.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                ConfigError(format!("{}: cannot be read: {error}", path.display()))
            })?;
            // Read once for itself: its errors know the line.
            toml::from_str::<Self>(&text)
                .map_err(|error| ConfigError(at_line(path, &text, &error)))?;
            figment = figment.merge(Toml::string(&text));
        }
        let environment = Env::prefixed("NIGHTJAR_").filter(|key| key.as_str().contains("__"));
        let config: Self = figment
            .merge(environment.split("__"))
            .extract()
            .map_err(|error| ConfigError(format!("configuration: {error}")))?;
        config.check(file)?;
        Ok(config)
    }

    fn check(&self, file: Option<&Path>) -> Result<(), ConfigError> {
        let fail = |option: &str, reason: &str| {
            let place = file.map_or("environment".into(), |path| place_of(path, option));
            Err(ConfigError(format!("{place}: {option}: {reason}")))
        };
        if file.is_some() && self.server.admin_key.is_none() && self.server.admin_keys.is_empty() {
            return fail("server.admin_key", "is missing; choose a long random text");
        }
        match &self.server.token_secret {
            None if file.is_some() => {
                return fail("server.token_secret", "is missing; choose a long random text");
            }
            Some(secret) if secret.expose().len() < 16 => {
                return fail("server.token_secret", "needs at least 16 bytes");
            }
            _ => {}
        }
        for (option, kind, offered) in
            [("store.kind", &self.store.kind, "embedded"), ("bus.kind", &self.bus.kind, "local")]
        {
            if !kind.is_empty() && kind != offered {
                return fail(option, &format!("'{kind}' is not offered; use '{offered}'"));
            }
        }
        if let Err(error) = self.push.choice() {
            let field = error.field.split('.').next().unwrap_or_default();
            return fail(&format!("push.{field}"), &error.reason);
        }
        if self.heartbeat.interval_s == 0 || self.heartbeat.timeout_s == 0 {
            return fail("heartbeat.interval_s", "interval_s and timeout_s must be above 0");
        }
        if self.native.cert_file.is_some() != self.native.key_file.is_some() {
            return fail("native.cert_file", "needs native.key_file beside it, and the other way");
        }
        if let Some((option, reason)) = self.xmpp.fault() {
            return fail(option, reason);
        }
        self.check_webhooks(fail)?;
        if let Err(error) = Providers::open(&self.push.providers()) {
            return fail(&format!("{}.{}", error.table, error.option), &error.reason);
        }
        self.check_wukong(fail)?;
        self.check_addresses(fail)
    }

    fn check_webhooks(
        &self,
        fail: impl Fn(&str, &str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let WebhooksSection { url, secret, allow_private } = &self.webhooks;
        if url.is_empty() {
            return Ok(());
        }
        if let Err(error) = nightjar_webhooks::Target::parse(url, *allow_private) {
            return fail("webhooks.url", &error.to_string());
        }
        match secret.as_ref().map(nightjar_webhooks::Key::parse) {
            None => fail("webhooks.secret", "is missing; receivers verify events with it"),
            Some(Err(error)) => fail("webhooks.secret", &error.to_string()),
            Some(Ok(_)) => Ok(()),
        }
    }

    fn check_wukong(
        &self,
        fail: impl Fn(&str, &str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let WukongSection { http, manager_token, push_if_unread_after_s, webhook, .. } =
            &self.wukong;
        if !webhook.url.is_empty()
            && let Err(error) = nightjar_gateway_wukong::Webhook::parse(&webhook.url)
        {
            return fail("wukong.webhook.url", &error.to_string());
        }
        if *push_if_unread_after_s > UNREAD_S_MAX {
            let reason = format!("is at most {UNREAD_S_MAX}");
            return fail("wukong.push_if_unread_after_s", &reason);
        }
        let is_open = http.parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback());
        match manager_token {
            Some(token) if token.expose().is_empty() => {
                fail("wukong.manager_token", "is empty; choose a long random text")
            }
            None if is_open => fail(
                "wukong.http",
                "is reachable from elsewhere and asks for nothing; set wukong.manager_token",
            ),
            _ => Ok(()),
        }
    }

    /// Other addresses than loopback need TLS, or a proxy that an operator vouches for.
    fn check_addresses(
        &self,
        fail: impl Fn(&str, &str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let native_has_tls = self.native.cert_file.is_some();
        let listeners = [
            ("server.listen", self.server.listen.as_str(), false),
            ("native.listen", self.native.listen.as_str(), native_has_tls),
            ("wukong.tcp", self.wukong.tcp.as_str(), false),
            ("wukong.ws", self.wukong.ws.as_str(), false),
            ("wukong.http", self.wukong.http.as_str(), false),
        ];
        for (option, text, has_tls) in listeners.into_iter().chain(self.xmpp.listeners()) {
            if text.is_empty() {
                continue;
            }
            let Ok(address) = text.parse::<SocketAddr>() else {
                return fail(option, "is not an address like 127.0.0.1:7300");
            };
            if !address.ip().is_loopback() && !has_tls && !self.server.behind_proxy {
                return fail(
                    option,
                    "is reachable from elsewhere without TLS; listen on loopback, or set \
                     server.behind_proxy = true when a proxy in front ends TLS",
                );
            }
        }
        Ok(())
    }

    /// Sections that are named but not offered by this version.
    pub(crate) fn not_offered(&self) -> Vec<&'static str> {
        self.xmpp.not_offered().collect()
    }
}

fn at_line(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text[..start].matches('\n').count() + 1;
    let option = text.lines().nth(line - 1).unwrap_or("").split('=').next().unwrap_or("").trim();
    format!("{}:{line}: {option}: {}", path.display(), error.message())
}

/// The line of an option, as well as it can be told from the text: the line that sets it, else
/// its section's, else the file.
fn place_of(path: &Path, option: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let (section, key) = option.rsplit_once('.').unwrap_or(("", option));
    let mut in_section = false;
    let mut section_line = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            in_section = line == format!("[{section}]");
            if in_section {
                section_line = Some(index + 1);
            }
        } else if in_section && line.split('=').next().map(str::trim) == Some(key) {
            return format!("{}:{}", path.display(), index + 1);
        }
    }
    format!("{}:{}", path.display(), section_line.unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, String> {
        let file = std::env::temp_dir().join(format!("nightjar-config-{:p}.toml", text.as_ptr()));
        std::fs::write(&file, text).unwrap();
        let config = Config::load(Some(&file)).map_err(|error| error.to_string());
        std::fs::remove_file(&file).unwrap();
        config
    }

    const KEYS: &str = "[server]\nadmin_key = \"k\"\ntoken_secret = \"0123456789abcdef\"\n";

    const APNS: &str = "[push.apns.main]\nteam_id = \"TEAM567890\"\nkey_id = \"KEY4567890\"\n\
        topic = \"com.example\"\nkey_file = \"/nowhere\"\n";

    #[test]
    fn a_whole_file_is_taken() {
        let config = check(&format!("{KEYS}[deadlines]\nforeground_ms = 700\n")).unwrap();
        assert_eq!(config.deadlines.foreground_ms, 700);
        assert_eq!(config.deadlines.grace_ms, 2_000);
        assert!(!format!("{config:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn the_file_to_start_from_is_whole() {
        let text = include_str!("../../../deploy/nightjar.toml");
        assert!(check(text).unwrap().server.behind_proxy);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line, option) in [
            (format!("{KEYS}listn = 1\n"), 4, "listn"),
            (format!("{KEYS}[deadlines]\nforeground_ms = \"x\"\n"), 5, "foreground_ms"),
            (format!("{KEYS}listen = \"0.0.0.0:80\"\n"), 4, "server.listen"),
            (format!("{KEYS}[push]\nstorms = true\n"), 5, "storms"),
            (format!("{KEYS}[push.huawei.main]\napp_id = \"1\"\n"), 4, "huawei"),
            (format!("{KEYS}{APNS}"), 8, "push.apns.main.key_file"),
            (format!("{KEYS}[store]\nkind = \"paper\"\n"), 5, "store.kind"),
            ("[server]\nadmin_key = \"k\"\n".into(), 1, "server.token_secret"),
        ] {
            let error = check(&text).unwrap_err();
            assert!(error.contains(&format!(":{line}: ")), "{error}");
            assert!(error.contains(option), "{error}");
        }
    }
}
