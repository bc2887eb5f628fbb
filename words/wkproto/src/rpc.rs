//! The same packets as JSON-RPC, for WuKongIM's EasySDKs.
//!
//! Three things break those clients if they are left out, and are never left out here: the header
//! of a `recv`, the `result` of every answer, and whole numbers where they expect them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::packet::{Connect, Disconnect, Flags, Packet, Recvack, SendPacket, Setting};
use crate::{Reason, VERSION_MAX, WkError, payload};

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What an answer names; `None` wants none.
    pub id: Option<String>,
    /// What it asks; `None` for a method that is not offered.
    pub packet: Option<Packet>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    jsonrpc: Option<Cow<'a, str>>,
    id: Option<String>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Header {
    no_persist: bool,
    red_dot: bool,
    sync_once: bool,
    dup: bool,
}

impl From<Option<Header>> for Flags {
    fn from(header: Option<Header>) -> Self {
        let Header { no_persist, red_dot, sync_once, dup } = header.unwrap_or_default();
        Self { no_persist, red_dot, sync_once, dup }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectParams {
    uid: String,
    token: Option<String>,
    device_id: Option<String>,
    device_flag: Option<u8>,
    client_timestamp: Option<i64>,
    version: Option<u8>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct SettingParams {
    receipt: bool,
    topic: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SendParams<'a> {
    client_msg_no: Option<String>,
    channel_id: String,
    channel_type: u8,
    #[serde(borrow)]
    payload: &'a RawValue,
    header: Option<Header>,
    setting: Option<SettingParams>,
    expire: Option<u32>,
    topic: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecvackParams {
    message_id: String,
    message_seq: u32,
    header: Option<Header>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct DisconnectParams {
    reason_code: u8,
    reason: String,
}

/// Reads one JSON object.
///
/// # Errors
/// [`WkError::BadJson`].
pub fn decode(text: &str) -> Result<Call, WkError> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(bad)?;
    if envelope.jsonrpc.is_some_and(|version| version != "2.0") {
        return Err(WkError::BadJson("jsonrpc is not 2.0".into()));
    }
    let params = envelope.params.map_or("{}", RawValue::get);
    let packet = match &*envelope.method {
        "connect" => Some(connect(params)?),
        "send" => Some(send(params)?),
        "recvack" => Some(recvack(params)?),
        "ping" => Some(Packet::Ping),
        "disconnect" => Some(disconnect(params)?),
        _ => None,
    };
    Ok(Call { id: envelope.id, packet })
}

/// The `id` of a message that is none otherwise.
#[must_use]
pub fn id_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    serde_json::from_str(text).ok().map(|Named { id }| id)
}

fn bad(error: serde_json::Error) -> WkError {
    WkError::BadJson(error.to_string())
}

fn connect(params: &str) -> Result<Packet, WkError> {
    let params: ConnectParams = serde_json::from_str(params).map_err(bad)?;
    Ok(Packet::Connect(Connect {
        version: params.version.unwrap_or(VERSION_MAX),
        device_flag: params.device_flag.unwrap_or(0),
        device_id: params.device_id.unwrap_or_default(),
        uid: params.uid,
        token: params.token.unwrap_or_default(),
        client_timestamp: params.client_timestamp.unwrap_or(0),
        client_key: String::new(),
    }))
}

fn send(params: &str) -> Result<Packet, WkError> {
    let params: SendParams<'_> = serde_json::from_str(params).map_err(bad)?;
    let topic = params.topic.unwrap_or_default();
    let asked = params.setting.unwrap_or_default();
    let mut setting = 0;
    if asked.receipt {
        setting |= Setting::RECEIPT.0;
    }
    if asked.topic || !topic.is_empty() {
        setting |= Setting::TOPIC.0;
    }
    Ok(Packet::Send(SendPacket {
        flags: params.header.into(),
        setting: Setting(setting),
        client_seq: 0,
        client_msg_no: params.client_msg_no.unwrap_or_default(),
        channel_id: params.channel_id,
        channel_type: params.channel_type,
        expire: params.expire.unwrap_or(0),
        msg_key: String::new(),
        topic,
        payload: payload_bytes(params.payload.get())?,
    }))
}

/// A text is base64, or what it says when it is not; an object or a list stands for itself.
fn payload_bytes(raw: &str) -> Result<Bytes, WkError> {
    if !raw.starts_with('"') {
        return Ok(Bytes::copy_from_slice(raw.as_bytes()));
    }
    let text: String = serde_json::from_str(raw).map_err(bad)?;
    Ok(STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes()).into())
}

fn recvack(params: &str) -> Result<Packet, WkError> {
    let params: RecvackParams = serde_json::from_str(params).map_err(bad)?;
    Ok(Packet::Recvack(Recvack {
        flags: params.header.into(),
        message_id: params
            .message_id
            .parse()
            .map_err(|_| WkError::BadJson("messageId is no decimal number".into()))?,
        message_seq: params.message_seq,
    }))
}

fn disconnect(params: &str) -> Result<Packet, WkError> {
    let params: DisconnectParams = serde_json::from_str(params).map_err(bad)?;
    let reason = Reason::from_number(params.reason_code);
    Ok(Packet::Disconnect(Disconnect { reason, text: params.reason }))
}

/// The answer to a call.
#[must_use]
pub fn answer(id: &str, packet: &Packet) -> String {
    let result = match packet {
        Packet::Connack(ack) => json!({
            "serverVersion": ack.server_version,
            "serverKey": ack.server_key,
            "salt": ack.salt,
            "timeDiff": ack.time_diff,
            "reasonCode": ack.reason.number(),
            "nodeId": ack.node_id,
        }),
        Packet::Sendack(ack) => json!({
            "messageId": ack.message_id.to_string(),
            "messageSeq": ack.message_seq,
            "reasonCode": ack.reason.number(),
        }),
        _ => json!({}),
    };
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}

/// The answer to a call that is not offered.
#[must_use]
pub fn error(id: &str, message: &str) -> String {
    let error = json!({"code": Reason::Unknown.number(), "message": message});
    json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()
}

/// What nobody asked for; `None` for a packet that has no such form.
#[must_use]
pub fn notification(packet: &Packet) -> Option<String> {
    let (method, params) = match packet {
        Packet::Recv(_) => ("recv", recv(packet)?),
        Packet::Event(event) => {
            let data = String::from_utf8_lossy(&event.data);
            let params = json!({
                "header": {}, "id": event.id, "type": event.kind, "timestamp": event.timestamp,
                "data": data,
            });
            ("event", params)
        }
        Packet::Disconnect(end) => {
            ("disconnect", json!({"reasonCode": end.reason.number(), "reason": end.text}))
        }
        _ => return None,
    };
    Some(json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string())
}

fn recv(packet: &Packet) -> Option<Value> {
    let Packet::Recv(recv) = packet else { return None };
    let Flags { no_persist, red_dot, sync_once, dup } = recv.flags;
    let mut params = Map::new();
    let header = json!({
        "noPersist": no_persist, "redDot": red_dot, "syncOnce": sync_once, "dup": dup,
    });
    params.insert("header".into(), header);
    if recv.setting != Setting::default() {
        let setting = json!({
            "receipt": recv.setting.has(Setting::RECEIPT), "topic": recv.setting.has(Setting::TOPIC),
        });
        params.insert("setting".into(), setting);
    }
    if recv.setting.has(Setting::TOPIC) {
        params.insert("topic".into(), recv.topic.as_str().into());
    }
    if recv.expire != 0 {
        params.insert("expire".into(), recv.expire.into());
    }
    params.insert("messageId".into(), recv.message_id.to_string().into());
    params.insert("messageSeq".into(), recv.message_seq.into());
    params.insert("clientMsgNo".into(), recv.client_msg_no.as_str().into());
    params.insert("timestamp".into(), recv.timestamp.into());
    params.insert("channelId".into(), recv.channel_id.as_str().into());
    params.insert("channelType".into(), recv.channel_type.into());
    params.insert("fromUid".into(), recv.from_uid.as_str().into());
    params.insert("payload".into(), payload_value(&recv.payload));
    Some(Value::Object(params))
}

/// An object as itself, which every client reads and one needs; anything else as base64.
fn payload_value(bytes: &[u8]) -> Value {
    if payload::is_object(bytes)
        && let Ok(value) = serde_json::from_slice(bytes)
    {
        return value;
    }
    STANDARD.encode(bytes).into()
}
