//! What a push says, before it has a provider's form.

use nightjar_model::{
    Binding, ConversationId, DeviceId, Display, NotificationId, PushTemplate, Seq, Uid, WallMs,
};
use serde::Deserialize;
use unicode_segmentation::UnicodeSegmentation;

use crate::case::PushCase;
use crate::request::{Alert, PushData, PushRequest};
use crate::template::{Variables, fill};

/// Longest title, in grapheme clusters.
pub const TITLE_GRAPHEMES_MAX: usize = 100;
/// Longest body, in grapheme clusters.
pub const BODY_GRAPHEMES_MAX: usize = 400;
/// Longest body after a provider found the whole too large.
pub const SHORT_BODY_GRAPHEMES_MAX: usize = 60;
/// Most bytes of either: a grapheme can be long.
const TEXT_BYTES_MAX: usize = 1_600;
/// Most bytes of the sender's own data; more is left out.
const CUSTOM_BYTES_MAX: usize = 1_024;
/// From so many unseen messages on, a storm shares one notification.
const STORM_FROM: u64 = 6;
/// What stands where text must not or cannot.
const NEUTRAL: &str = "New message";

/// How much of the text goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Trim {
    /// All of it, up to the limits.
    #[default]
    Full,
    /// A short body and no data of the sender's.
    Short,
    /// Neutral text only.
    DataOnly,
}

/// The request for a message.
#[must_use]
pub fn render(case: &PushCase, binding: &Binding, trim: Trim) -> PushRequest {
    let entry = &case.entry;
    let is_shared = case.is_shared.unwrap_or(case.policy.storm && case.unseen >= STORM_FROM);
    let nid = if is_shared {
        NotificationId::conversation(&entry.conversation)
    } else {
        NotificationId::message(entry.message_id)
    };
    let push = entry.push.as_deref().filter(|_| trim == Trim::Full);
    let custom = push.and_then(|push| push.data.clone());
    let overrides = push.and_then(|push| overrides(push.providers.as_deref()?, binding));
    PushRequest {
        uid: case.uid.clone(),
        device_id: case.device_id.clone(),
        binding: binding.clone(),
        alert: Some(alert(case, trim)),
        data: PushData {
            mid: Some(entry.message_id),
            conv: entry.conversation.clone(),
            seq: entry.seq,
            bv: case.bv,
            badge: case.badge,
            exp: case.expires_at(),
            nid: Some(nid),
            wd: case.withdraw.clone(),
            custom: custom.filter(|data| data.len() <= CUSTOM_BYTES_MAX),
        },
        overrides,
    }
}

/// The request that takes notifications back; it shows nothing.
#[must_use]
pub fn render_withdrawal(
    uid: &Uid,
    device_id: &DeviceId,
    binding: &Binding,
    (conversation, seq): (&ConversationId, Seq),
    (badge, bv): (u64, u64),
    ids: Vec<NotificationId>,
) -> PushRequest {
    PushRequest {
        uid: uid.clone(),
        device_id: device_id.clone(),
        binding: binding.clone(),
        alert: None,
        data: PushData {
            mid: None,
            conv: conversation.clone(),
            seq,
            bv,
            badge,
            exp: WallMs(0),
            nid: None,
            wd: ids,
            custom: None,
        },
        overrides: None,
    }
}

/// What the sender has for the provider of this binding.
fn overrides(
    providers: &str,
    binding: &Binding,
) -> Option<serde_json::Map<String, serde_json::Value>> {
    let mut all: serde_json::Map<_, _> = serde_json::from_str(providers).ok()?;
    match all.remove(&binding.key.provider)? {
        serde_json::Value::Object(own) => Some(own),
        _ => None,
    }
}

/// Texts by precedence: the template (the message's before the receiver's), what the message says
/// for its push, what the receiver lets be shown. Who wants nothing shown gets neutral text,
/// whatever the sender asks.
fn alert(case: &PushCase, trim: Trim) -> Alert {
    let push = case.entry.push.as_deref();
    let sound = push.and_then(|push| push.sound.clone());
    if case.policy.display == Display::Nothing || trim == Trim::DataOnly {
        return Alert { title: NEUTRAL.to_owned(), body: NEUTRAL.to_owned(), sound };
    }
    let (title, body) = match &case.template {
        Some(template) => from_template(case, template),
        None => from_message(case),
    };
    let body_max = if trim == Trim::Short { SHORT_BODY_GRAPHEMES_MAX } else { BODY_GRAPHEMES_MAX };
    Alert { title: cut(&title, TITLE_GRAPHEMES_MAX), body: cut(&body, body_max), sound }
}

fn sender(case: &PushCase) -> &str {
    case.sender_name.as_deref().unwrap_or(case.entry.from.as_str())
}

fn from_template(case: &PushCase, template: &PushTemplate) -> (String, String) {
    let from_name = sender(case);
    let msg = shown_text(case);
    let variables = Variables {
        from: case.entry.from.as_str(),
        from_name,
        group_name: case.group_name.as_deref().unwrap_or(from_name),
        msg: &msg,
        badge: case.badge,
    };
    // The arguments are those of the message's own template.
    let own = case.entry.push.as_deref().and_then(|push| push.template.as_ref());
    let own = own.filter(|own| own.name == template.name);
    let (titles, bodies): (&[String], &[String]) =
        own.map_or((&[], &[]), |own| (&own.title_args, &own.body_args));
    (fill(&template.title, titles, &variables), fill(&template.body, bodies, &variables))
}

fn from_message(case: &PushCase) -> (String, String) {
    let push = case.entry.push.as_deref();
    let own_title = push.and_then(|push| push.title.clone());
    let title = own_title.or(case.group_name.clone()).unwrap_or_else(|| sender(case).to_owned());
    let body = match push.and_then(|push| push.body.clone()) {
        Some(body) => body,
        None if case.policy.display == Display::Sender => NEUTRAL.to_owned(),
        None if case.group_name.is_some() => format!("{}: {}", sender(case), text_of(case)),
        None => text_of(case),
    };
    (title, body)
}

/// The text, if the receiver lets it be shown.
fn shown_text(case: &PushCase) -> String {
    if case.policy.display == Display::Preview { text_of(case) } else { NEUTRAL.to_owned() }
}

#[derive(Deserialize)]
struct Known<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<std::borrow::Cow<'a, str>>,
}

/// The text of a message, or the word for what it is.
fn text_of(case: &PushCase) -> String {
    if case.entry.sealed {
        return NEUTRAL.to_owned();
    }
    match serde_json::from_slice::<Known<'_>>(&case.entry.content) {
        Ok(Known { kind, text: Some(text) }) if kind == "text" => text.into_owned(),
        Ok(Known { kind, .. }) => format!("[{kind}]"),
        Err(_) => NEUTRAL.to_owned(),
    }
}

/// Cuts between grapheme clusters and takes control characters out; an ellipsis marks the cut.
fn cut(text: &str, graphemes_max: usize) -> String {
    let mut out = String::new();
    for (count, grapheme) in text.graphemes(true).enumerate() {
        let grapheme = if grapheme.chars().any(char::is_control) { " " } else { grapheme };
        if count + 1 >= graphemes_max || out.len() + grapheme.len() + "…".len() > TEXT_BYTES_MAX {
            out.push('…');
            return out;
        }
        out.push_str(grapheme);
    }
    out
}

#[cfg(test)]
mod tests {
    use nightjar_model::TemplateUse;
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{asks, binding, case, entry};

    fn alert_of(
        change: impl FnOnce(&mut PushCase),
        display: Display,
        trim: Trim,
    ) -> (String, String) {
        let mut case = case();
        case.policy.display = display;
        change(&mut case);
        let alert = render(&case, &binding(), trim).alert.unwrap();
        (alert.title, alert.body)
    }

    fn pair(title: &str, body: &str) -> (String, String) {
        (title.into(), body.into())
    }

    #[test]
    fn texts_follow_message_group_and_display() {
        let full = |change: fn(&mut PushCase)| alert_of(change, Display::Preview, Trim::Full);
        assert_eq!(full(|_| {}), pair("Alice", "hello"));
        assert_eq!(full(|case| case.sender_name = None), pair("alice", "hello"));
        let group = full(|case| case.group_name = Some("Crew".into()));
        assert_eq!(group, pair("Crew", "Alice: hello"));
        let image = full(|case| entry(case).content = r#"{"type":"image","url":"x"}"#.into());
        assert_eq!(image, pair("Alice", "[image]"));
        assert_eq!(full(|case| entry(case).sealed = true), pair("Alice", NEUTRAL));
        assert_eq!(alert_of(|_| {}, Display::Sender, Trim::Full), pair("Alice", NEUTRAL));
        assert_eq!(alert_of(|_| {}, Display::Nothing, Trim::Full), pair(NEUTRAL, NEUTRAL));
        assert_eq!(alert_of(|_| {}, Display::Preview, Trim::DataOnly), pair(NEUTRAL, NEUTRAL));
    }

    #[test]
    fn a_storm_shares_one_notification() {
        let mut case = case();
        case.unseen = 5;
        let nid = |case: &PushCase| {
            render(case, &binding(), Trim::Full).data.nid.unwrap().as_str().to_owned()
        };
        assert!(nid(&case).starts_with("m."));
        case.unseen = 6;
        assert_eq!(nid(&case), format!("c.{}", case.entry.conversation));
        case.policy.storm = false;
        assert!(nid(&case).starts_with("m."));
    }

    #[test]
    fn a_retry_keeps_the_name_the_first_request_had() {
        let mut case = case();
        (case.unseen, case.is_shared) = (9, Some(false));
        let nid = |case: &PushCase| {
            render(case, &binding(), Trim::Full).data.nid.unwrap().as_str().to_owned()
        };
        assert!(nid(&case).starts_with("m."));
        (case.unseen, case.is_shared) = (1, Some(true));
        assert!(nid(&case).starts_with("c."));
    }

    #[test]
    fn a_template_stands_before_the_messages_words_and_nothing_before_nothing() {
        let with = |case: &mut PushCase| {
            case.template = Some(PushTemplate {
                name: "news".into(),
                locale: None,
                title: "{$from_name} in {$group_name}".into(),
                body: "{0}|{$msg}".into(),
            });
            asks(case, |push| {
                push.title = Some("own title".into());
                push.body = Some("own body".into());
            });
        };
        let own_args = |case: &mut PushCase| {
            with(case);
            let body_args = vec!["arg".to_owned()];
            let template = TemplateUse { name: "news".into(), title_args: vec![], body_args };
            asks(case, |push| push.template = Some(template));
        };
        let without = |case: &mut PushCase| {
            with(case);
            case.template = None;
        };
        let title = "Alice in Alice";
        assert_eq!(alert_of(own_args, Display::Preview, Trim::Full), pair(title, "arg|hello"));
        // The receiver's template has no arguments, and shows what the receiver lets be shown.
        assert_eq!(alert_of(with, Display::Preview, Trim::Full), pair(title, "|hello"));
        assert_eq!(alert_of(with, Display::Sender, Trim::Full), pair(title, "|New message"));
        let own = pair("own title", "own body");
        assert_eq!(alert_of(without, Display::Sender, Trim::Full), own);
        assert_eq!(alert_of(own_args, Display::Nothing, Trim::Full), pair(NEUTRAL, NEUTRAL));
    }

    #[test]
    fn overrides_are_those_of_the_bindings_provider_and_go_when_space_is_short() {
        let mut case = case();
        let providers = r#"{"apns":{"aps":{"category":"c"}},"fcm":{"x":1},"hms":1}"#;
        asks(&mut case, |push| push.providers = Some(providers.into()));
        let of = |case: &PushCase, trim| render(case, &binding(), trim).overrides;
        let own = serde_json::to_value(of(&case, Trim::Full)).unwrap();
        assert_eq!(own, serde_json::json!({"aps": {"category": "c"}}));
        assert_eq!(of(&case, Trim::Short), None);
        asks(&mut case, |push| push.providers = Some("[]".into()));
        assert_eq!(of(&case, Trim::Full), None);
    }

    #[test]
    fn our_keys_win_over_the_senders() {
        let mut case = case();
        let data = r#"{"badge":999,"v":0,"seq":"x","mine":1,"wd":["m.x"]}"#;
        let push = nightjar_model::PushSpec { data: Some(data.into()), ..Default::default() };
        entry(&mut case).push = Some(Box::new(push));
        let json = render(&case, &binding(), Trim::Full).data.to_json();
        assert_eq!(json["badge"], 4);
        assert_eq!(json["v"], 1);
        assert_eq!(json["seq"], 3);
        assert_eq!(json["mine"], 1);
        assert!(!json.contains_key("wd"));
    }

    proptest! {
        #[test]
        fn a_cut_never_splits_a_grapheme(text in "\\PC{0,900}", max in 1_usize..500) {
            let out = cut(&text, max);
            prop_assert!(out.len() <= TEXT_BYTES_MAX);
            prop_assert!(out.graphemes(true).count() <= max.max(1));
            let kept = out.strip_suffix('…').unwrap_or(&out);
            let whole: Vec<&str> = text.graphemes(true).collect();
            let kept_count = kept.graphemes(true).count();
            prop_assert!(whole.len() >= kept_count);
        }
    }
}
