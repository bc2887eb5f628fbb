//! The error answer to a command this server has no name for.

use bytes::{BufMut, BytesMut};
use nightjar_wire::{Kind, Packet, WireError};
use serde_json::json;

use crate::requests::Refusal;
use crate::{Form, Frame};

/// Where the command stands in a header.
const COMMAND_AT: std::ops::Range<usize> = 8..12;

/// The answer, if the packet was a request: it echoes the command as the client wrote it.
pub(crate) fn answer(form: Form, error: &WireError, refusal: &Refusal) -> Option<Frame> {
    let serial = error.serial().filter(|serial| *serial > 0)?;
    let text = refusal.detail.as_deref().unwrap_or(refusal.reject.message());
    let packet = |kind| Packet::reject_with(serial, kind, refusal.reject, text);
    let WireError::UnknownCommand { command, .. } = error else {
        let packet = packet(error.kind()?);
        return Some(match form {
            Form::Binary => Frame::Binary(packet.to_bytes()),
            Form::Json => Frame::Text(packet.to_json()),
        });
    };
    Some(match form {
        Form::Binary => {
            let known = Kind::from_name(command).map(Kind::number);
            let number = known.or_else(|| command.parse().ok())?;
            let mut bytes = BytesMut::from(&packet(Kind::Ping).to_bytes()[..]);
            (&mut bytes[COMMAND_AT]).put_i32(number);
            Frame::Binary(bytes.freeze())
        }
        Form::Json => {
            let reject = refusal.reject;
            let error = json!({ "code": reject.name(), "message": text, "retry": reject.retry() });
            let answer = json!({
                "serial": serial,
                "command": command,
                "code": reject.number(),
                "body": { "error": error },
            });
            Frame::Text(answer.to_string())
        }
    })
}
