//! The documents in which people write what they choose about pushes, checked field by field.

use std::fmt;

use nightjar_model::{
    ConversationId, ConversationRules, DeviceId, DevicePolicy, Display, EVERY_DAY, PushChoice,
    PushPolicy, PushSettings, PushTemplate, QuietHours, QuietInterval, ReminderMode, Uid, WallMs,
    limits,
};
use serde_json::{Map, Value, json};

use crate::quiet::is_time_zone;

/// The field of a document that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where: `quiet_hours.intervals[0].start`.
    pub field: String,
    /// What it must be.
    pub reason: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' {}", self.field, self.reason)
    }
}

impl std::error::Error for FieldError {}

type Read<T> = Result<T, FieldError>;

/// An object being read, with its place in the document. Fields that nobody asks for are ignored;
/// `null` is as good as absent.
struct Object<'a> {
    map: &'a Map<String, Value>,
    at: String,
}

impl<'a> Object<'a> {
    fn of(value: &'a Value, at: &str) -> Read<Self> {
        let map = value.as_object().ok_or_else(|| error(at, "must be a JSON object"))?;
        Ok(Self { map, at: at.to_owned() })
    }

    fn place(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    fn get<T>(&self, name: &str, read: impl FnOnce(&'a Value, &str) -> Read<T>) -> Read<Option<T>> {
        let found = self.map.get(name).filter(|value| !value.is_null());
        found.map(|value| read(value, &self.place(name))).transpose()
    }
}

fn error(field: &str, reason: impl Into<String>) -> FieldError {
    let field = if field.is_empty() { "the document" } else { field };
    FieldError { field: field.to_owned(), reason: reason.into() }
}

/// Reads the `push-settings` of a user.
///
/// # Errors
/// [`FieldError`] names the first field that is not as it must be.
pub fn settings_from_json(document: &Value, now: WallMs) -> Read<PushSettings> {
    let object = Object::of(document, "")?;
    let rules = rules(&object, now)?;
    Ok(PushSettings {
        mode: rules.mode,
        muted_until: rules.muted_until,
        quiet_hours: rules.quiet_hours,
        display: object.get("display", display)?,
        language: object.get("language", |value, at| text(value, at, limits::LOCALE_BYTES_MAX))?,
        policy: object.get("policy", device_policy)?,
        primary_device: object.get("primary_device", |value, at| {
            DeviceId::parse(string(value, at)?).map_err(|bad| error(at, bad.to_string()))
        })?,
        nickname: object.get("nickname", |value, at| text(value, at, limits::NAME_BYTES_MAX))?,
        template: object.get("template", template_name)?,
        blocked: object.get("blocked", blocked)?.unwrap_or_default(),
        push_if_unread_after_s: object
            .get("push_if_unread_after_s", |value, at| {
                let seconds = whole(value, at, 0, limits::UNREAD_S_MAX.into())?;
                Ok(u32::try_from(seconds).ok().filter(|seconds| *seconds > 0))
            })?
            .flatten(),
        conversations: object
            .get("conversations", |value, at| conversations(value, at, now))?
            .unwrap_or_default(),
    })
}

/// What the app and a conversation have in common. A mode of `default` is none.
fn rules(object: &Object<'_>, now: WallMs) -> Read<ConversationRules> {
    Ok(ConversationRules {
        mode: object.get("mode", |value, at| mode(value, at, object.at.is_empty()))?.flatten(),
        muted_until: object.get("muted_until", |value, at| muted_until(value, at, now))?.flatten(),
        quiet_hours: object.get("quiet_hours", quiet_hours)?.flatten(),
    })
}

fn mode(value: &Value, at: &str, is_app: bool) -> Read<Option<ReminderMode>> {
    match string(value, at)? {
        "default" if !is_app => Ok(None),
        name => match ReminderMode::from_name(name) {
            Some(mode) => Ok(Some(mode)),
            None if is_app => Err(error(at, "is one of all, at, none")),
            None => Err(error(at, "is one of default, all, at, none")),
        },
    }
}

/// A moment that has passed mutes nothing and is not kept.
fn muted_until(value: &Value, at: &str, now: WallMs) -> Read<Option<WallMs>> {
    // The clocks of two machines differ.
    const SLACK_MS: u64 = 60_000;
    let until = WallMs(whole(value, at, 0, u64::MAX)?);
    if until > now.after(limits::MUTE_MS_MAX + SLACK_MS) {
        let reason = "is at most 7 days ahead, in ms; use mode \"none\" for a mute without end";
        return Err(error(at, reason));
    }
    Ok(Some(until).filter(|until| *until > now))
}

fn quiet_hours(value: &Value, at: &str) -> Read<Option<QuietHours>> {
    let object = Object::of(value, at)?;
    let intervals = object.get("intervals", |value, at| {
        list(value, at, limits::QUIET_INTERVALS_MAX)?
            .iter()
            .enumerate()
            .map(|(n, value)| interval(value, &format!("{at}[{n}]")))
            .collect::<Read<Vec<_>>>()
    })?;
    let intervals = intervals.unwrap_or_default();
    let time_zone = object.get("time_zone", |value, at| {
        let name = string(value, at)?;
        if is_time_zone(name) {
            return Ok(name.to_owned());
        }
        Err(error(at, "must be an IANA name such as Europe/Berlin or Asia/Shanghai"))
    })?;
    match time_zone {
        _ if intervals.is_empty() => Ok(None),
        Some(time_zone) => Ok(Some(QuietHours { time_zone, intervals })),
        None => Err(error(&object.place("time_zone"), "is missing: whose clocks count?")),
    }
}

fn interval(value: &Value, at: &str) -> Read<QuietInterval> {
    let object = Object::of(value, at)?;
    let minute = |name: &str| {
        let missing = || error(&object.place(name), "is missing: a time such as 22:30");
        object.get(name, minute_of_day)?.ok_or_else(missing)
    };
    let weekdays = object.get("weekdays", |value, at| {
        list(value, at, 7)?
            .iter()
            .try_fold(0_u8, |days, day| Ok(days | 1 << (whole(day, at, 1, 7)? - 1)))
    })?;
    Ok(QuietInterval {
        start_min: minute("start")?,
        end_min: minute("end")?,
        weekdays: weekdays.filter(|days| *days != 0).unwrap_or(EVERY_DAY),
    })
}

fn minute_of_day(value: &Value, at: &str) -> Read<u16> {
    let number = |text: &str, max: u16| {
        let is_plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| is_plain && *number <= max)
    };
    let read = string(value, at)?
        .split_once(':')
        .and_then(|(hour, minute)| Some(number(hour, 23)? * 60 + number(minute, 59)?));
    read.ok_or_else(|| error(at, "must be a time of the day, 00:00 to 23:59"))
}

fn display(value: &Value, at: &str) -> Read<Display> {
    Display::from_name(string(value, at)?)
        .ok_or_else(|| error(at, "is one of nothing, sender, preview"))
}

fn device_policy(value: &Value, at: &str) -> Read<DevicePolicy> {
    let unknown = || {
        let offered = "any_not_visible, all_offline, primary_only or {\"delay_if_active_s\":10}";
        error(at, format!("is one of {offered}"))
    };
    if value.is_object() {
        let object = Object::of(value, at)?;
        let delay = object.get("delay_if_active_s", |value, at| {
            whole(value, at, 1, limits::DELAY_S_MAX.into())
        })?;
        let delay_s = delay.and_then(|s| u32::try_from(s).ok()).ok_or_else(unknown)?;
        return Ok(DevicePolicy::DelayIfActive { delay_s });
    }
    match value.as_str() {
        Some("any_not_visible") => Ok(DevicePolicy::AnyNotVisible),
        Some("all_offline") => Ok(DevicePolicy::AllOffline),
        Some("primary_only") => Ok(DevicePolicy::PrimaryOnly),
        _ => Err(unknown()),
    }
}

fn blocked(value: &Value, at: &str) -> Read<std::collections::BTreeSet<Uid>> {
    list(value, at, limits::BLOCKED_MAX)?
        .iter()
        .map(|uid| Uid::parse(string(uid, at)?).map_err(|bad| error(at, bad.to_string())))
        .collect()
}

fn conversations(
    value: &Value,
    at: &str,
    now: WallMs,
) -> Read<std::collections::BTreeMap<ConversationId, ConversationRules>> {
    let object = Object::of(value, at)?;
    if object.map.len() > limits::CONVERSATION_RULES_MAX {
        let max = limits::CONVERSATION_RULES_MAX;
        return Err(error(at, format!("may name {max} conversations")));
    }
    let mut all = std::collections::BTreeMap::new();
    for (id, value) in object.map {
        let at = object.place(id);
        let id = ConversationId::parse(id).map_err(|bad| error(&at, bad.to_string()))?;
        let rules = rules(&Object::of(value, &at)?, now)?;
        if rules != ConversationRules::default() {
            all.insert(id, rules);
        }
    }
    Ok(all)
}

/// Reads what an operator chooses for all users.
///
/// # Errors
/// [`FieldError`] names the first field that is not as it must be.
pub fn choice_from_json(document: &Value) -> Read<PushChoice> {
    let object = Object::of(document, "")?;
    Ok(PushChoice {
        devices: object.get("policy", device_policy)?,
        storm: object.get("storm", |value, at| {
            value.as_bool().ok_or_else(|| error(at, "is true or false"))
        })?,
        display: object.get("display", display)?,
    })
}

/// Reads a template of this name.
///
/// # Errors
/// [`FieldError`] names the first field that is not as it must be.
pub fn template_from_json(name: &str, document: &Value) -> Read<PushTemplate> {
    let object = Object::of(document, "")?;
    let named = object.get("name", template_name)?;
    let name = template_name(&name.into(), "name")?;
    if named.is_some_and(|named| named != name) {
        return Err(error("name", "is not the one in the path"));
    }
    let line = |field: &str, max: usize| {
        let missing = || error(field, "is missing; it may hold {0} and {$from_name}");
        object.get(field, |value, at| text(value, at, max))?.ok_or_else(missing)
    };
    Ok(PushTemplate {
        locale: object.get("locale", |value, at| text(value, at, limits::LOCALE_BYTES_MAX))?,
        title: line("title", limits::PUSH_TITLE_BYTES_MAX)?,
        body: line("body", limits::PUSH_BODY_BYTES_MAX)?,
        name,
    })
}

fn template_name(value: &Value, at: &str) -> Read<String> {
    let name = text(value, at, limits::TEMPLATE_NAME_BYTES_MAX)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.chars().all(allowed) {
        return Ok(name);
    }
    Err(error(at, "may hold letters, digits, '-', '_' and '.'"))
}

fn string<'a>(value: &'a Value, at: &str) -> Read<&'a str> {
    value.as_str().ok_or_else(|| error(at, "must be a text"))
}

/// A text that is not empty.
fn text(value: &Value, at: &str, bytes_max: usize) -> Read<String> {
    let text = string(value, at)?;
    if text.is_empty() || text.len() > bytes_max {
        return Err(error(at, format!("must have 1 to {bytes_max} bytes")));
    }
    Ok(text.to_owned())
}

fn whole(value: &Value, at: &str, min: u64, max: u64) -> Read<u64> {
    let number = value.as_u64().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| {
        let upto = if max == u64::MAX { String::new() } else { format!(" to {max}") };
        error(at, format!("must be a whole number from {min}{upto}"))
    })
}

fn list<'a>(value: &'a Value, at: &str, max: usize) -> Read<&'a [Value]> {
    let list = value.as_array().ok_or_else(|| error(at, "must be a list"))?;
    if list.len() > max {
        return Err(error(at, format!("may have {max} items")));
    }
    Ok(list)
}

/// The `push-settings` of a user as a document; what was not chosen is absent.
#[must_use]
pub fn settings_to_json(settings: &PushSettings) -> Value {
    let mut object = rules_to_json(settings.mode, settings.muted_until, &settings.quiet_hours);
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object[name] = value;
        }
    };
    put("display", settings.display.map(|display| display.as_str().into()));
    put("language", settings.language.as_deref().map(Value::from));
    put("policy", settings.policy.map(device_policy_to_json));
    put("primary_device", settings.primary_device.as_ref().map(|id| id.as_str().into()));
    put("nickname", settings.nickname.as_deref().map(Value::from));
    put("template", settings.template.as_deref().map(Value::from));
    let blocked: Vec<Value> = settings.blocked.iter().map(|uid| uid.as_str().into()).collect();
    put("blocked", (!blocked.is_empty()).then(|| blocked.into()));
    put("push_if_unread_after_s", settings.push_if_unread_after_s.map(Value::from));
    let conversations: Map<String, Value> = settings
        .conversations
        .iter()
        .map(|(id, rules)| {
            let rules = rules_to_json(rules.mode, rules.muted_until, &rules.quiet_hours);
            (id.as_str().to_owned(), rules)
        })
        .collect();
    put("conversations", (!conversations.is_empty()).then(|| conversations.into()));
    object
}

fn rules_to_json(
    mode: Option<ReminderMode>,
    muted_until: Option<WallMs>,
    quiet_hours: &Option<QuietHours>,
) -> Value {
    let mut object = json!({});
    if let Some(mode) = mode {
        object["mode"] = mode.as_str().into();
    }
    if let Some(until) = muted_until {
        object["muted_until"] = until.0.into();
    }
    if let Some(hours) = quiet_hours {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let intervals: Vec<Value> = hours
            .intervals
            .iter()
            .map(|interval| {
                let (start, end) = (time(interval.start_min), time(interval.end_min));
                let days: Vec<u8> =
                    (1..=7).filter(|day| interval.weekdays & (1 << (day - 1)) != 0).collect();
                json!({"start": start, "end": end, "weekdays": days})
            })
            .collect();
        object["quiet_hours"] = json!({"time_zone": hours.time_zone, "intervals": intervals});
    }
    object
}

fn device_policy_to_json(policy: DevicePolicy) -> Value {
    match policy {
        DevicePolicy::AnyNotVisible => "any_not_visible".into(),
        DevicePolicy::AllOffline => "all_offline".into(),
        DevicePolicy::DelayIfActive { delay_s } => json!({"delay_if_active_s": delay_s}),
        DevicePolicy::PrimaryOnly => "primary_only".into(),
    }
}

/// What holds for all users, as a document.
#[must_use]
pub fn policy_to_json(policy: &PushPolicy) -> Value {
    json!({
        "policy": device_policy_to_json(policy.devices),
        "storm": policy.storm,
        "display": policy.display.as_str(),
    })
}

#[cfg(test)]
mod tests;
