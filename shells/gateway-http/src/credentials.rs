//! Push credentials: which there are, how they fare, new keys, a test push.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use nightjar_model::{
    BindingKey, Command, ConversationId, Credential, DeviceId, MessageId, NotificationId, Reject,
    Reply, Secret, TestTarget, Uid, WallMs, limits,
};
use nightjar_providers::{Health, Providers, PushConfig, open_one, shown};
use nightjar_push::{Alert, Outcome, PushData, PushRequest, RouteState};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};
use crate::random::random_bytes;

/// A test push is of no use after so long.
const TEST_KEPT_MS: u64 = 3600 * 1000;

/// The provider keys of the server, and whose they are.
pub struct Credentials {
    providers: Providers,
    /// Options of the configuration file.
    configured: BTreeMap<BindingKey, Map<String, Value>>,
    /// One change at a time: what is stored and what is open stay the same.
    changing: Mutex<()>,
}

impl Credentials {
    /// The open providers, and the configuration some of them come from.
    #[must_use]
    pub fn new(providers: Providers, config: &PushConfig) -> Arc<Self> {
        let configured = json!(config).as_object().map(of_tables).unwrap_or_default();
        Arc::new(Self { providers, configured, changing: Mutex::default() })
    }

    /// The open providers.
    #[must_use]
    pub fn providers(&self) -> &Providers {
        &self.providers
    }
}

fn of_tables(providers: &Map<String, Value>) -> BTreeMap<BindingKey, Map<String, Value>> {
    let mut all = BTreeMap::new();
    for (provider, tables) in providers {
        for (credential, options) in tables.as_object().into_iter().flatten() {
            let key = BindingKey { provider: provider.clone(), credential: credential.clone() };
            all.insert(key, options.as_object().cloned().unwrap_or_default());
        }
    }
    all
}

/// One credential with everything that is known of it.
struct Known {
    key: BindingKey,
    source: &'static str,
    enabled: bool,
    changed_at: Option<WallMs>,
    options: Map<String, Value>,
    health: Option<Health>,
    /// What apps subscribe with.
    public_key: Option<String>,
}

impl Known {
    fn to_json(&self) -> Value {
        let mut answer = json!({
            "name": self.key.credential, "provider": self.key.provider, "source": self.source,
            "enabled": self.enabled, "options": shown(&self.options), "health": self.health(),
        });
        if let Some(at) = self.changed_at {
            answer["changed_at"] = at.0.into();
        }
        if let Some(public_key) = &self.public_key {
            answer["public_key"] = public_key.as_str().into();
        }
        answer
    }

    fn health(&self) -> Value {
        let Some(health) = &self.health else {
            let error = open_one(&self.key, &self.options).err().map(|error| error.to_string());
            return json!({"state": "unusable", "reason": error});
        };
        let state = match health.is_good() {
            None => "unused",
            Some(true) => "good",
            Some(false) => "failing",
        };
        let answers = Outcome::ALL.iter().zip(health.answers).filter(|(_, count)| *count > 0);
        let answers: Map<String, Value> =
            answers.map(|(outcome, count)| (outcome.as_str().to_owned(), count.into())).collect();
        let mut answer = json!({"state": state, "answers": answers});
        if let Some(at) = health.last_success_at {
            answer["last_success_at"] = at.0.into();
        }
        if let Some(failure) = &health.last_failure {
            answer["last_failure"] = json!({
                "at": failure.at.0, "outcome": failure.outcome.as_str(), "reason": failure.reason,
            });
        }
        answer
    }
}

/// Every credential, by provider and name.
async fn all(api: &Api) -> Result<BTreeMap<BindingKey, Known>, ApiError> {
    let Reply::Credentials(rows) = api.handle.call(Command::Credentials).await? else {
        return Err(unexpected());
    };
    let Credentials { providers, configured, .. } = &*api.credentials;
    let mut health = providers.health();
    let mut known = BTreeMap::new();
    for row in rows {
        let Some(options) = &row.options else {
            known.insert(row.key.clone(), from_file(row.key, row.enabled, Some(row.changed_at)));
            continue;
        };
        let options = serde_json::from_str(options.expose()).unwrap_or_default();
        let (enabled, changed_at) = (row.enabled, Some(row.changed_at));
        let key = row.key.clone();
        let one = from_file(key, enabled, changed_at);
        known.insert(row.key, Known { source: "api", options, ..one });
    }
    for key in configured.keys() {
        let stored = known.remove(key).filter(|known| known.source == "config");
        let stored = stored.unwrap_or_else(|| from_file(key.clone(), true, None));
        let options = configured[key].clone();
        known.insert(key.clone(), Known { options, ..stored });
    }
    // One that was turned off and then left the file is none any more; what is open and in
    // neither is the console of development mode.
    known.retain(|key, one| one.source == "api" || configured.contains_key(key));
    for key in health.keys() {
        let built_in = || Known { source: "built_in", ..from_file(key.clone(), true, None) };
        known.entry(key.clone()).or_insert_with(built_in);
    }
    for (key, one) in &mut known {
        one.health = health.remove(key);
        one.public_key = providers.get(key).and_then(|provider| provider.public_key());
    }
    Ok(known)
}

fn from_file(key: BindingKey, enabled: bool, changed_at: Option<WallMs>) -> Known {
    let (options, health, public_key) = (Map::new(), None, None);
    Known { key, source: "config", enabled, changed_at, options, health, public_key }
}

#[derive(Deserialize)]
pub(crate) struct ProviderQuery {
    /// Which one, where several providers have a credential of this name.
    provider: Option<String>,
}

type AskedProvider = Result<Query<ProviderQuery>, QueryRejection>;

/// The one of this name.
async fn one(api: &Api, name: &str, provider: Option<&str>) -> Result<Known, ApiError> {
    let known = all(api).await?.into_values();
    let mut found: Vec<Known> = known
        .filter(|known| known.key.credential == name)
        .filter(|known| provider.is_none_or(|provider| known.key.provider == provider))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(known), true) => Ok(known),
        (None, _) => {
            let text = "no credential has this name; create it with \
                        POST /v1/push/credentials/{name}, or in [push.PROVIDER.NAME]";
            Err(ApiError::with(Reject::UnknownCredential, text))
        }
        (Some(last), false) => {
            found.push(last);
            let providers: Vec<_> = found.iter().map(|known| known.key.provider.as_str()).collect();
            let text =
                format!("{} have a credential of this name; say ?provider=", providers.join(", "));
            Err(ApiError::with(Reject::BadRequest, text))
        }
    }
}

/// `GET /v1/push/credentials`.
pub(crate) async fn list(State(api): State<Api>) -> ApiResult {
    let known: Vec<Value> = all(&api).await?.values().map(Known::to_json).collect();
    Ok(Json(json!({"credentials": known})).into_response())
}

/// `GET /v1/push/credentials/{name}?provider=`.
pub(crate) async fn get(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: AskedProvider,
) -> ApiResult {
    let Query(ProviderQuery { provider }) = query?;
    let known = one(&api, &name, provider.as_deref()).await?;
    Ok(Json(known.to_json()).into_response())
}

/// `POST /v1/push/credentials/{name}`: `{provider, …its options}` creates or replaces,
/// `{enabled}` alone turns it on or off.
pub(crate) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: AskedProvider,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> ApiResult {
    let Query(query) = query?;
    let Json(mut options) = body?;
    let bad = |text: &str| ApiError::with(Reject::BadRequest, text);
    let enabled = match options.remove("enabled") {
        None => None,
        Some(Value::Bool(enabled)) => Some(enabled),
        Some(_) => return Err(bad("'enabled' is true or false")),
    };
    let provider = match options.remove("provider") {
        None => query.provider,
        Some(Value::String(provider)) => Some(provider),
        Some(_) => return Err(bad("'provider' is the name of one, such as \"apns\"")),
    };
    let _one_at_a_time = api.credentials.changing.lock().await;
    let key = match (options.is_empty(), enabled) {
        (true, None) => return Err(bad("give 'provider' and its options, or 'enabled'")),
        (true, Some(enabled)) => {
            let known = one(&api, &name, provider.as_deref()).await?;
            turn(&api, known, enabled).await?
        }
        (false, enabled) => {
            let provider = provider.ok_or_else(|| bad("'provider' is missing"))?;
            let key = BindingKey { provider, credential: name };
            replace(&api, key, options, enabled.unwrap_or(true)).await?
        }
    };
    let known = one(&api, &key.credential, Some(&key.provider)).await?;
    Ok(Json(known.to_json()).into_response())
}

async fn turn(api: &Api, known: Known, enabled: bool) -> Result<BindingKey, ApiError> {
    let options = match known.source {
        "api" => Some(Secret::new(Value::Object(known.options).to_string())),
        "config" => None,
        _ => return Err(ApiError::with(Reject::Forbidden, "it belongs to development mode")),
    };
    let key = known.key;
    store(api, Credential { key: key.clone(), enabled, options, changed_at: WallMs(0) }).await?;
    Ok(key)
}

/// Opens the new keys before the old ones go; requests under way end with the old.
async fn replace(
    api: &Api,
    key: BindingKey,
    options: Map<String, Value>,
    enabled: bool,
) -> Result<BindingKey, ApiError> {
    check_name(&key.credential)?;
    let opened = open_one(&key, &options)
        .map_err(|error| ApiError::with(Reject::BadRequest, error.to_string()))?;
    let options = Some(Secret::new(Value::Object(options).to_string()));
    store(api, Credential { key: key.clone(), enabled, options, changed_at: WallMs(0) }).await?;
    api.credentials.providers.insert(&key.credential, opened);
    Ok(key)
}

async fn store(api: &Api, credential: Credential) -> Result<(), ApiError> {
    match api.handle.call(Command::PutCredential(Box::new(credential))).await {
        Ok(_) => Ok(()),
        Err(reject) => Err(of_file(reject)),
    }
}

/// What the configuration file holds is changed there.
fn of_file(reject: Reject) -> ApiError {
    match reject {
        Reject::Exists => {
            let text = "the configuration file has this credential: change it there and restart; \
                        here it can be turned off with {\"enabled\": false}";
            ApiError::with(reject, text)
        }
        other => other.into(),
    }
}

/// Names of what operators make: they stand in addresses, metrics and statistics.
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    let max = limits::OPERATOR_NAME_BYTES_MAX;
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    if name.is_empty() || name.len() > max || !name.bytes().all(is_plain) {
        let text = format!("a name has 1 to {max} letters, digits, '-', '_' and '.'");
        return Err(ApiError::with(Reject::BadRequest, text));
    }
    Ok(())
}

/// `DELETE /v1/push/credentials/{name}?provider=`: bindings to it stay, and are silent.
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: AskedProvider,
) -> ApiResult {
    let Query(ProviderQuery { provider }) = query?;
    let _one_at_a_time = api.credentials.changing.lock().await;
    let key = one(&api, &name, provider.as_deref()).await?.key;
    api.handle.call(Command::DeleteCredential(key.clone())).await.map_err(of_file)?;
    api.credentials.providers.remove(&key);
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
pub(crate) struct TestBody {
    uid: String,
    device_id: Option<String>,
}

/// `POST /v1/push/credentials/{name}/test?provider=`: one push to one device of a user, and the
/// provider's answer.
pub(crate) async fn test(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: AskedProvider,
    body: Result<Json<TestBody>, JsonRejection>,
) -> ApiResult {
    let Query(ProviderQuery { provider }) = query?;
    let Json(body) = body?;
    let uid = Uid::parse(&body.uid)?;
    let device_id = body.device_id.as_deref().map(DeviceId::parse).transpose()?;
    let target = target(&api, (&name, provider.as_deref()), &uid, device_id.as_ref()).await?;
    let (device_id, key) = (target.device_id.clone(), target.binding.key.clone());
    let request = test_push(uid, target, api.handle.clock.now().wall)?;
    let answer = api.credentials.providers.push(&request).await;
    Ok(Json(json!({
        "device_id": device_id.as_str(), "provider": key.provider, "credential": key.credential,
        "outcome": answer.outcome.as_str(), "reason": answer.reason, "vendor": answer.vendor,
    }))
    .into_response())
}

/// Where the test goes: of several credentials of the name, the one the user is bound to.
async fn target(
    api: &Api,
    (name, provider): (&str, Option<&str>),
    uid: &Uid,
    device_id: Option<&DeviceId>,
) -> Result<TestTarget, ApiError> {
    let keys = all(api).await?.into_keys().filter(|key| {
        key.credential == name && provider.is_none_or(|provider| key.provider == provider)
    });
    let keys: Vec<BindingKey> = keys.collect();
    if keys.is_empty() {
        one(api, name, provider).await?;
    }
    for key in keys {
        let (uid, device_id) = (uid.clone(), device_id.cloned());
        match api.handle.call(Command::TestTarget { uid, device_id, key }).await {
            Ok(Reply::TestTarget(target)) => return Ok(*target),
            Ok(_) => return Err(unexpected()),
            Err(Reject::UnknownDevice) => {}
            Err(reject) => return Err(reject.into()),
        }
    }
    let text = "no such device of this user is bound to this credential; its app binds a token \
                with bind_push, or PUT /v1/users/{uid}/devices/{device_id}/push";
    Err(ApiError::with(Reject::UnknownDevice, text))
}

/// A push that names a message nobody wrote: an app that looks it up finds nothing, and shows
/// the push as it came.
fn test_push(uid: Uid, target: TestTarget, now: WallMs) -> Result<PushRequest, ApiError> {
    let TestTarget { device_id, binding, unread, bv } = target;
    let mid = MessageId::new(now, &random_bytes()?);
    let body = format!("Test of {} {}", binding.key.provider, binding.key.credential);
    let data = PushData {
        mid: Some(mid),
        conv: ConversationId::direct(&uid, &uid),
        seq: 0,
        bv,
        badge: unread,
        exp: now.after(TEST_KEPT_MS),
        nid: Some(NotificationId::message(mid)),
        wd: Vec::new(),
        custom: None,
    };
    let alert = Some(Alert { title: "Nightjar".into(), body, sound: None });
    Ok(PushRequest { uid, device_id, binding, alert, data, overrides: None })
}

/// What was answered to the requests of each credential, as Prometheus text.
pub(crate) fn metrics(providers: &Providers, text: &mut String) {
    const NAME: &str = "nightjar_push_answers_total";
    text.push_str(&format!("# TYPE {NAME} counter\n"));
    for (key, health) in providers.health() {
        let (provider, credential) = (label(&key.provider), label(&key.credential));
        for (outcome, count) in Outcome::ALL.iter().zip(health.answers) {
            let outcome = outcome.as_str();
            text.push_str(&format!(
                "{NAME}{{provider=\"{provider}\",credential=\"{credential}\",\
                 outcome=\"{outcome}\"}} {count}\n"
            ));
        }
    }
}

/// A text as the value of a label.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// How the credentials fare that pushes leave by; of a credential with many hosts the sum.
pub(crate) fn routes(routes: &[RouteState]) -> String {
    let mut sums: BTreeMap<&BindingKey, [u64; 4]> = BTreeMap::new();
    for route in routes {
        let (down, doubted) = (u64::from(!route.is_up), u64::from(route.is_doubted));
        let sum = sums.entry(&route.route.credential).or_default();
        *sum = [
            sum[0] + down,
            sum[1].max(doubted),
            sum[2] + route.under_way as u64,
            sum[3] + route.waiting as u64,
        ];
    }
    let names = ["down", "tokens_doubted", "under_way", "waiting"];
    let mut text = String::new();
    for (at, name) in names.into_iter().enumerate() {
        text.push_str(&format!("# TYPE nightjar_push_{name} gauge\n"));
        for (key, sum) in &sums {
            let (provider, credential) = (label(&key.provider), label(&key.credential));
            text.push_str(&format!(
                "nightjar_push_{name}{{provider=\"{provider}\",credential=\"{credential}\"}} {}\n",
                sum[at]
            ));
        }
    }
    text
}
