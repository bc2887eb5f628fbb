//! Messages: writing one in a user's name, history, trace.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use bytes::Bytes;
use nightjar_model::{
    ClientMsgId, Command, ConversationId, GroupId, HistoryCommand, Mentions, MessageId, PushSpec,
    Reject, Reply, SendCommand, Target, Uid, WallMs, limits,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};
use crate::push_body::PushBody;
use crate::random::random_id;

#[derive(Deserialize)]
pub(crate) struct SendBody {
    from: String,
    to: ToBody,
    client_msg_id: Option<String>,
    content: Box<RawValue>,
    push: Option<PushBody>,
    options: Option<OptionsBody>,
    /// At which moment to explain it, ms; a message is always of now.
    pub(crate) at: Option<u64>,
}

#[derive(Deserialize)]
struct ToBody {
    user: Option<String>,
    group: Option<String>,
    room: Option<String>,
}

#[derive(Deserialize)]
struct OptionsBody {
    persist: Option<bool>,
    online_only: Option<bool>,
    expires_at: Option<u64>,
    mentions: Option<MentionsBody>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MentionsBody {
    All(String),
    Users(Vec<String>),
}

impl SendBody {
    /// The sender and the command.
    pub(crate) fn parse(self) -> Result<(Uid, SendCommand), ApiError> {
        let bad = |text: &str| ApiError::with(Reject::BadRequest, text);
        let to = match (self.to.user, self.to.group, self.to.room) {
            (Some(user), None, None) => Target::User(Uid::parse(&user)?),
            (None, Some(group), None) => Target::Group(GroupId::parse(&group)?),
            (None, None, Some(_)) => return Err(bad("rooms are not offered by this version")),
            _ => return Err(bad("'to' needs exactly one of user, group, room")),
        };
        let options = self.options.as_ref();
        let is_fleeting = options.is_some_and(|options| {
            options.persist == Some(false) || options.online_only == Some(true)
        });
        if is_fleeting {
            return Err(bad("options.persist=false and options.online_only are not supported"));
        }
        let content = self.content.get();
        if content.len() > limits::CONTENT_BYTES_MAX {
            return Err(Reject::TooLarge.into());
        }
        if !content.starts_with('{') {
            return Err(bad("'content' must be a JSON object with a 'type'"));
        }
        let client_msg_id = match self.client_msg_id {
            Some(id) => id,
            None => random_id()?,
        };
        let expires_at = self.options.as_ref().and_then(|options| options.expires_at).map(WallMs);
        let send = SendCommand {
            to,
            client_msg_id: ClientMsgId::parse(&client_msg_id)?,
            content: Bytes::copy_from_slice(content.as_bytes()),
            sealed: false,
            push: push_spec(self.push, self.options)?,
            expires_at,
        };
        Ok((Uid::parse(&self.from)?, send))
    }
}

fn push_spec(
    push: Option<PushBody>,
    options: Option<OptionsBody>,
) -> Result<Option<Box<PushSpec>>, ApiError> {
    let mentions = match options.and_then(|options| options.mentions) {
        None => Mentions::Nobody,
        Some(MentionsBody::All(all)) if all == "all" => Mentions::All,
        Some(MentionsBody::All(_)) => {
            return Err(ApiError::with(Reject::BadRequest, "'mentions' is a list or \"all\""));
        }
        Some(MentionsBody::Users(uids)) => {
            Mentions::Users(uids.iter().map(|uid| Uid::parse(uid)).collect::<Result<_, _>>()?)
        }
    };
    let Some(push) = push else {
        return Ok((mentions != Mentions::Nobody)
            .then(|| Box::new(PushSpec { mentions, ..PushSpec::default() })));
    };
    push.parse(mentions).map(Box::new).map(Some)
}

/// `POST /v1/messages`: writes a message in a user's name.
pub(crate) async fn send(
    State(api): State<Api>,
    body: Result<Json<SendBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let (from, send) = body.parse()?;
    match api.handle.call(Command::SendAs { from, send: Box::new(send) }).await? {
        Reply::Sent(sent) => Ok(Json(json!({
            "message_id": sent.message_id.to_string(),
            "conversation": sent.conversation.as_str(),
            "seq": sent.seq,
            "at": sent.at.0,
            "duplicate": sent.duplicate,
        }))
        .into_response()),
        _ => Err(unexpected()),
    }
}

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    viewer: String,
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// `GET /v1/conversations/{conversation}/messages`: the log as one user sees it.
pub(crate) async fn history(
    State(api): State<Api>,
    Path(conversation): Path<String>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> ApiResult {
    let Query(query) = query?;
    let history = HistoryCommand {
        conversation: ConversationId::parse(&conversation)?,
        after: query.after,
        before: query.before,
        limit: query.limit.unwrap_or(50),
    };
    let viewer = Uid::parse(&query.viewer)?;
    match api.handle.call(Command::HistoryAs { viewer, history }).await? {
        Reply::History { entries, head_seq } => {
            let messages: Vec<_> =
                entries.iter().map(|entry| nightjar_wire::message(entry, false, false)).collect();
            let answer = nightjar_wire::body::HistoryAnswer { messages, head_seq };
            Ok(Json(answer).into_response())
        }
        _ => Err(unexpected()),
    }
}

#[derive(Deserialize)]
pub(crate) struct TraceQuery {
    user: String,
}

/// `GET /v1/messages/{message_id}/trace?user=`: why did this phone stay silent?
pub(crate) async fn trace(
    State(api): State<Api>,
    Path(message_id): Path<String>,
    query: Result<Query<TraceQuery>, QueryRejection>,
) -> ApiResult {
    let Query(query) = query?;
    let message_id = MessageId::parse(&message_id)?;
    let uid = Uid::parse(&query.user)?;
    match api.handle.call(Command::Trace { message_id, uid }).await? {
        Reply::Trace(events) => {
            let events: Vec<_> = events
                .iter()
                .map(|event| {
                    let mut line = json!({"at": event.at.0, "step": event.step.as_str()});
                    if let Some(device_id) = &event.device_id {
                        line["device_id"] = device_id.as_str().into();
                    }
                    if let Some(reason) = &event.reason {
                        line["reason"] = reason.as_str().into();
                    }
                    if let Some(detail) = &event.detail {
                        line["detail"] = detail.as_str().into();
                    }
                    line
                })
                .collect();
            Ok(Json(json!({"events": events})).into_response())
        }
        _ => Err(unexpected()),
    }
}
