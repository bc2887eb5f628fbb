//! Writing messages.

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nightjar_model::{ClientMsgId, Command, Reject, Reply, SendCommand, SentReply, Target, Uid};
use nightjar_session::wukong::push_of;
use nightjar_wkproto::{Channel, Flags, MessageNumber, payload, system_uid};
use serde::Deserialize;
use serde_json::json;

use super::WukongApi;
use super::error::{Answer, Failure, bare, read, unexpected};
use super::users::is_system;

/// Receivers of one request.
const SUBSCRIBERS_MAX: usize = 1_000;

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct HeaderBody {
    no_persist: u8,
    red_dot: u8,
    sync_once: u8,
}

#[derive(Deserialize)]
struct SendBody {
    #[serde(default)]
    header: HeaderBody,
    #[serde(default)]
    client_msg_no: String,
    #[serde(default)]
    from_uid: String,
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    channel_type: u8,
    #[serde(default)]
    expire: u32,
    #[serde(default)]
    subscribers: Vec<String>,
    payload: String,
}

/// `POST /message/send`. The answer comes once the message is stored.
pub(super) async fn send(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: SendBody = read(&body)?;
    if !body.subscribers.is_empty() || body.header.sync_once != 0 || body.header.no_persist != 0 {
        return Err(Failure::bad(
            "commands (sync_once, subscribers) and messages that are not stored (no_persist) are \
             not offered; send the message without these headers",
        ));
    }
    let from = sender(&body.from_uid)?;
    let channel = Channel::new(body.channel_id, body.channel_type);
    let plain = plain(&body.payload)?;
    let client_msg_no = match body.client_msg_no.as_str() {
        "" => random_name()?,
        name => name.to_owned(),
    };
    let lives_ms = u64::from(body.expire) * 1_000;
    let now = api.gateway.handle.clock.now().wall;
    let send = SendCommand {
        to: channel.target()?,
        client_msg_id: ClientMsgId::parse(&client_msg_no)?,
        content: payload::to_content(&plain),
        sealed: false,
        push: push_of(&plain, flags(body.header)),
        expires_at: (lives_ms > 0).then(|| now.after(lives_ms)),
    };
    let sent = write(&api, &from, send).await?;
    let message_id = MessageNumber::of(sent.message_id).0;
    bare(json!({
        "status": 200,
        "data": {
            "message_id": message_id,
            "message_idstr": message_id.to_string(),
            "client_msg_no": client_msg_no,
            "message_seq": sent.seq,
        },
    }))
}

#[derive(Deserialize)]
struct BatchBody {
    #[serde(default)]
    header: HeaderBody,
    #[serde(default)]
    from_uid: String,
    subscribers: Vec<String>,
    payload: String,
}

/// `POST /message/sendbatch`: one person message to each.
pub(super) async fn send_batch(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: BatchBody = read(&body)?;
    if body.subscribers.len() > SUBSCRIBERS_MAX {
        return Err(Failure::bad(format!("at most {SUBSCRIBERS_MAX} subscribers at a time")));
    }
    let (from, plain) = (sender(&body.from_uid)?, plain(&body.payload)?);
    let (mut fail_uids, mut reason) = (Vec::new(), Vec::new());
    for uid in body.subscribers {
        let sent = match Uid::parse(&uid) {
            Ok(to) => {
                let send = SendCommand {
                    to: Target::User(to),
                    client_msg_id: ClientMsgId::parse(&random_name()?)?,
                    content: payload::to_content(&plain),
                    sealed: false,
                    push: push_of(&plain, flags(body.header)),
                    expires_at: None,
                };
                write(&api, &from, send).await.map(|_| ())
            }
            Err(error) => Err(error.into()),
        };
        if let Err(failure) = sent {
            fail_uids.push(uid);
            reason.push(failure.to_string());
        }
    }
    bare(json!({"fail_uids": fail_uids, "reason": reason}))
}

fn sender(from_uid: &str) -> Result<Uid, Failure> {
    if from_uid.is_empty() { Ok(system_uid()) } else { Ok(Uid::parse(from_uid)?) }
}

fn plain(payload: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(payload).map_err(|_| Failure::bad("payload is no base64"))
}

fn flags(header: HeaderBody) -> Flags {
    Flags { red_dot: header.red_dot != 0, ..Flags::default() }
}

/// Writes in somebody's name. Accounts of the system write to any channel: there is a seat for
/// them in a group they write to. Who writes has read what came before.
async fn write(api: &WukongApi, from: &Uid, send: SendCommand) -> Result<SentReply, Failure> {
    let command = || Command::SendAs { from: from.clone(), send: Box::new(send.clone()) };
    let reply = match (api.gateway.handle.call(command()).await, &send.to) {
        (Err(Reject::NotMember), Target::Group(group)) if is_system(api, from).await? => {
            let (group, add) = (group.clone(), vec![from.clone()]);
            api.tell(Command::ChangeMembers { group, add, remove: Vec::new() }).await?;
            api.call(command()).await?
        }
        (reply, _) => reply?,
    };
    let Reply::Sent(sent) = reply else { return Err(unexpected()) };
    if !sent.duplicate && *from != system_uid() {
        let (conversation, seq) = (sent.conversation.clone(), sent.seq);
        api.tell(Command::ReadAs { uid: from.clone(), conversation, seq }).await?;
    }
    Ok(sent)
}

/// A name for a message that came without one.
fn random_name() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Failure::from(Reject::Internal))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).chain(["0".into()]).collect())
}
