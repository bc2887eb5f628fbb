//! From what a client wrote to what the lanes are asked. Every refusal names the field.

use bytes::Bytes;
use nightjar_model::{
    AppStateReport, Binding, BindingKey, ClientMsgId, Command, ContactAction, Content,
    ConversationId, DeviceId, Environment, GroupId, HistoryCommand, IdError, Measure, Mentions,
    Metric, NotificationId, Platform, PresenceCommand, PresenceStatus, PushSpec, Reject,
    ReportCommand, Secret, SendCommand, Target, Uid, WallMs, limits,
};
use nightjar_wire::body;
use serde::de::IgnoredAny;

use crate::deliveries::Claim;

/// The highest protocol this server speaks.
const PROTOCOL: u32 = 1;
/// Conversations in a `sync` answer and messages in a `history` answer when the client names no
/// number.
const PAGE: u32 = 100;
/// A resume token, a sync token.
const TOKEN_BYTES_MAX: usize = 1_024;
/// A login token.
const LOGIN_BYTES_MAX: usize = 8_192;
/// The JSON object that rides along with a push; the providers take 4 KiB in all.
const PUSH_DATA_BYTES_MAX: usize = 2_048;
/// A sound, a provider, a credential, a language.
const WORD_BYTES_MAX: usize = 128;
/// Users one message mentions.
const MENTIONS_MAX: usize = 256;

/// Why a request was refused, with a sentence about this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reject: Reject,
    pub(crate) detail: Option<String>,
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Self { reject, detail: None }
    }
}

impl From<IdError> for Refusal {
    fn from(error: IdError) -> Self {
        bad(error.to_string())
    }
}

/// A request, or why it is none.
pub(crate) type Asked<T> = Result<T, Refusal>;

fn refusal(reject: Reject, detail: impl Into<String>) -> Refusal {
    Refusal { reject, detail: Some(detail.into()) }
}

pub(crate) fn bad(detail: impl Into<String>) -> Refusal {
    refusal(Reject::BadRequest, detail)
}

/// A hello whose token was not checked yet.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) device_id: DeviceId,
    pub(crate) platform: Platform,
    pub(crate) state: AppStateReport,
    /// The client asks after so much silence.
    pub(crate) heartbeat_s: Option<u32>,
    pub(crate) resume: Option<String>,
}

/// Reads a hello; the token apart, for the shell.
pub(crate) fn hello(hello: body::Hello) -> Asked<(Greeting, Secret<String>)> {
    if hello.protocol.is_some_and(|protocol| protocol > PROTOCOL) {
        return Err(Reject::UnsupportedVersion.into());
    }
    let platform = Platform::from_name(&hello.platform).ok_or_else(|| {
        let names = Platform::ALL.map(Platform::as_str).join(", ");
        bad(format!("platform must be one of {names}"))
    })?;
    if hello.token.is_empty() || hello.token.len() > LOGIN_BYTES_MAX {
        return Err(Reject::BadToken.into());
    }
    let greeting = Greeting {
        device_id: DeviceId::parse(&hello.device_id)?,
        platform,
        state: report("app_state", &hello.app_state, hello.grace_ms, None)?,
        heartbeat_s: hello.heartbeat_s,
        resume: short("resume", hello.resume, TOKEN_BYTES_MAX)?,
    };
    Ok((greeting, Secret::new(hello.token)))
}

/// Reads what the app says about itself.
pub(crate) fn app_state(app_state: &body::AppState) -> Asked<AppStateReport> {
    let conversation = app_state.conversation.as_deref().filter(|text| !text.is_empty());
    let conversation = conversation.map(ConversationId::parse).transpose()?;
    report("state", &app_state.state, app_state.grace_ms, conversation)
}

fn report(
    field: &str,
    state: &str,
    grace_ms: Option<i64>,
    conversation: Option<ConversationId>,
) -> Asked<AppStateReport> {
    match state {
        "foreground" => Ok(AppStateReport::Foreground { conversation }),
        "background" => Ok(AppStateReport::Background { grace_ms: grace(grace_ms) }),
        _ => Err(bad(format!("{field} must be foreground or background"))),
    }
}

/// -1 stays: the process lives as long as the connection.
fn grace(grace_ms: Option<i64>) -> i64 {
    match grace_ms {
        Some(-1) => -1,
        Some(ms) => ms.clamp(0, limits::GRACE_MS_MAX),
        None => 0,
    }
}

/// Reads a message to write.
pub(crate) fn send(send: body::Send) -> Asked<Command> {
    let options = send.options.unwrap_or_default();
    if options.persist == Some(false) || options.online_only == Some(true) {
        return Err(bad("options.persist=false and options.online_only are not supported"));
    }
    let expires_at = options.expires_at.map(WallMs);
    Ok(Command::Send(Box::new(SendCommand {
        to: target(send.to.as_ref())?,
        client_msg_id: ClientMsgId::parse(&send.client_msg_id)?,
        content: content(send.content)?,
        sealed: false,
        push: push(send.push, mentions(&options)?)?.map(Box::new),
        expires_at,
    })))
}

fn target(to: Option<&body::To>) -> Asked<Target> {
    match to.map(|to| (&to.user, &to.group, &to.room)) {
        Some((Some(user), None, None)) => Ok(Target::User(Uid::parse(user)?)),
        Some((None, Some(group), None)) => Ok(Target::Group(GroupId::parse(group)?)),
        Some((None, None, Some(_))) => Err(bad("to.room: this server has no rooms")),
        _ => Err(bad("to must name one user or one group")),
    }
}

fn content(content: Content) -> Asked<Content> {
    if content.len() > limits::CONTENT_BYTES_MAX {
        return Err(Reject::TooLarge.into());
    }
    if !is_json_object(&content) {
        return Err(bad("content must be a JSON object"));
    }
    Ok(content)
}

/// Reads through the text without building anything of it.
fn is_json_object(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn mentions(options: &body::Options) -> Asked<Mentions> {
    // How "all" is written in the list; no uid is empty.
    if options.mentions.iter().any(String::is_empty) {
        return Err(refusal(Reject::Forbidden, "a client may not mention all"));
    }
    if options.mentions.len() > MENTIONS_MAX {
        let detail = format!("a message may mention {MENTIONS_MAX} users");
        return Err(refusal(Reject::LimitReached, detail));
    }
    if options.mentions.is_empty() {
        return Ok(Mentions::Nobody);
    }
    let users: Result<Vec<Uid>, IdError> =
        options.mentions.iter().map(|uid| Uid::parse(uid)).collect();
    Ok(Mentions::Users(users?))
}

fn push(push: Option<body::Push>, mentions: Mentions) -> Asked<Option<PushSpec>> {
    if push.is_none() && mentions == Mentions::Nobody {
        return Ok(None);
    }
    let push = push.unwrap_or_default();
    Ok(Some(PushSpec {
        title: short("push.title", push.title, limits::PUSH_TITLE_BYTES_MAX)?,
        body: short("push.body", push.body, limits::PUSH_BODY_BYTES_MAX)?,
        sound: short("push.sound", push.sound, WORD_BYTES_MAX)?,
        silent: push.silent,
        mentions,
        data: push.data.map(push_data).transpose()?,
        // What else can be asked needs an operator.
        ..PushSpec::default()
    }))
}

fn push_data(data: Bytes) -> Asked<String> {
    let text = String::from_utf8(data.into()).map_err(|_| bad("push.data must be JSON"))?;
    if text.len() > PUSH_DATA_BYTES_MAX {
        let detail = format!("push.data may have {PUSH_DATA_BYTES_MAX} bytes");
        return Err(refusal(Reject::TooLarge, detail));
    }
    if !is_json_object(text.as_bytes()) {
        return Err(bad("push.data must be a JSON object"));
    }
    Ok(text)
}

/// Reads what a client says it has.
pub(crate) fn ack(ack: &body::Ack) -> Asked<Vec<Claim>> {
    if ack.items.len() > limits::ACK_ITEMS_MAX {
        return Err(bad(format!("an ack may have {} items", limits::ACK_ITEMS_MAX)));
    }
    ack.items
        .iter()
        .map(|item| {
            Ok(Claim {
                conversation: ConversationId::parse(&item.conversation)?,
                stored: item.stored.unwrap_or(0),
                surfaced: item.surfaced.unwrap_or(0),
            })
        })
        .collect()
}

pub(crate) fn read(read: &body::Read) -> Asked<Command> {
    let conversation = ConversationId::parse(&read.conversation)?;
    Ok(Command::Read { conversation, seq: read.seq })
}

pub(crate) fn sync(sync: body::Sync) -> Asked<Command> {
    let since = short("since", sync.since, TOKEN_BYTES_MAX)?.filter(|since| !since.is_empty());
    Ok(Command::Sync { since, limit: page(sync.limit, limits::SYNC_PAGE_MAX) })
}

pub(crate) fn history(history: &body::History) -> Asked<HistoryCommand> {
    Ok(HistoryCommand {
        conversation: ConversationId::parse(&history.conversation)?,
        after: history.after,
        before: history.before,
        limit: page(history.limit, limits::HISTORY_MAX),
    })
}

fn page(limit: Option<u32>, max: usize) -> usize {
    usize::try_from(limit.unwrap_or(PAGE)).unwrap_or(max).clamp(1, max)
}

pub(crate) fn bind_push(bind: body::BindPush, now: WallMs) -> Asked<Command> {
    let environment = match bind.environment.as_deref() {
        None | Some("") => None,
        Some("production") => Some(Environment::Production),
        Some("sandbox") => Some(Environment::Sandbox),
        Some(_) => return Err(bad("environment must be production or sandbox")),
    };
    Ok(Command::BindPush(Binding {
        key: binding_key(bind.provider, bind.credential)?,
        token: Secret::new(word("token", bind.token, limits::PUSH_TOKEN_BYTES_MAX)?),
        locale: short("locale", bind.locale, WORD_BYTES_MAX)?,
        environment,
        bound_at: now,
    }))
}

pub(crate) fn unbind_push(unbind: body::UnbindPush) -> Asked<Command> {
    Ok(Command::UnbindPush(binding_key(unbind.provider, unbind.credential)?))
}

fn binding_key(provider: String, credential: String) -> Asked<BindingKey> {
    Ok(BindingKey {
        provider: word("provider", provider, WORD_BYTES_MAX)?,
        credential: word("credential", credential, WORD_BYTES_MAX)?,
    })
}

pub(crate) fn recall(recall: &body::Recall) -> Asked<Command> {
    let conversation = ConversationId::parse(&recall.conversation)?;
    Ok(Command::Recall { conversation, seq: recall.seq })
}

pub(crate) fn edit(edit: body::Edit) -> Asked<Command> {
    Ok(Command::Edit {
        conversation: ConversationId::parse(&edit.conversation)?,
        seq: edit.seq,
        content: content(edit.content)?,
    })
}

pub(crate) fn react(react: body::React) -> Asked<Command> {
    Ok(Command::React {
        conversation: ConversationId::parse(&react.conversation)?,
        seq: react.seq,
        emoji: word("emoji", react.emoji, limits::EMOJI_BYTES_MAX)?,
        remove: react.remove,
    })
}

pub(crate) fn typing(typing: &body::Typing) -> Asked<Command> {
    Ok(Command::Typing(target(typing.to.as_ref())?))
}

pub(crate) fn presence(presence: body::Presence) -> Asked<Command> {
    let uids = |field: &str, texts: &[String]| -> Asked<Vec<Uid>> {
        if texts.len() > limits::PRESENCE_MAX {
            return Err(bad(format!("{field} may name {} users", limits::PRESENCE_MAX)));
        }
        Ok(texts.iter().map(|uid| Uid::parse(uid)).collect::<Result<_, _>>()?)
    };
    let set = presence.set.map(|set| {
        Asked::Ok(PresenceStatus {
            status: word("set.status", set.status, limits::STATUS_BYTES_MAX)?,
            text: short("set.text", set.text, limits::STATUS_TEXT_BYTES_MAX)?,
        })
    });
    Ok(Command::Presence(Box::new(PresenceCommand {
        subscribe: uids("subscribe", &presence.subscribe)?,
        unsubscribe: uids("unsubscribe", &presence.unsubscribe)?,
        set: set.transpose()?,
    })))
}

pub(crate) fn contact(change: &body::ContactChange) -> Asked<Command> {
    let action = ContactAction::from_name(&change.action)
        .ok_or_else(|| bad("action must be request, accept, remove, block or unblock"))?;
    Ok(Command::Contact { uid: Uid::parse(&change.uid)?, action })
}

pub(crate) fn members(members: body::Members) -> Asked<Command> {
    Ok(Command::Members { group: GroupId::parse(&members.group)?, since: members.since })
}

/// Reads a report: what became of notifications, and what the client measured.
pub(crate) fn device_report(report: body::Report) -> Asked<(ReportCommand, Vec<Measure>)> {
    let ids = |field: &str, texts: &[String]| -> Asked<Vec<NotificationId>> {
        if texts.len() > limits::ACK_ITEMS_MAX {
            return Err(bad(format!("{field} may have {} ids", limits::ACK_ITEMS_MAX)));
        }
        Ok(texts.iter().map(|id| NotificationId::parse(id)).collect::<Result<_, _>>()?)
    };
    if report.metrics.len() > limits::METRICS_MAX {
        return Err(bad(format!("metrics may have {} items", limits::METRICS_MAX)));
    }
    // A name of a later version is no reason to lose the rest.
    let measures = report.metrics.into_iter().filter_map(|metric| {
        let body::Metric { name, value, count } = metric;
        let value = value.min(limits::METRIC_VALUE_MAX);
        let count = count.min(limits::METRIC_COUNT_MAX);
        Some(Measure { metric: Metric::from_name(&name)?, value, count })
    });
    let command = ReportCommand {
        arrived: ids("arrived", &report.arrived)?,
        clicked: ids("clicked", &report.clicked)?,
        dismissed: ids("dismissed", &report.dismissed)?,
    };
    Ok((command, measures.collect()))
}

fn word(field: &str, text: String, bytes_max: usize) -> Asked<String> {
    if text.is_empty() {
        return Err(bad(format!("{field} is empty")));
    }
    Ok(short(field, Some(text), bytes_max)?.unwrap_or_default())
}

fn short(field: &str, text: Option<String>, bytes_max: usize) -> Asked<Option<String>> {
    match text {
        Some(text) if text.len() > bytes_max => {
            Err(refusal(Reject::TooLarge, format!("{field} may have {bytes_max} bytes")))
        }
        text => Ok(text),
    }
}
