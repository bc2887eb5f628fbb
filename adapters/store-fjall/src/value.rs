//! Rows as bytes: a version, then the row in postcard. The table is in the key.

use nightjar_domain::{DeviceRow, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::key::Table;

/// The version of a row's first shape. A table whose row changes gets the next one, and keeps the
/// old shape beside it for as long as directories of that time must open.
pub(crate) const VERSION: u8 = 1;
/// Devices since they have a `push_if_unread_after_s`.
const DEVICE_VERSION: u8 = 2;

/// Appends the bytes of a row to `out`.
pub(crate) fn encode(row: &Row, out: Vec<u8>) -> Vec<u8> {
    match row {
        Row::Conversation(row) => bytes(row, out),
        Row::Member(row) => bytes(row, out),
        Row::Entry(row) => bytes(row, out),
        Row::Sent(row) => bytes(row, out),
        Row::Message(row) => bytes(row, out),
        Row::Own(row) => bytes(row, out),
        Row::Recalled(row) => bytes(row, out),
        Row::Amended(row) => bytes(row, out),
        Row::Work(row) => bytes(row, out),
        Row::Note(row) => bytes(row, out),
        Row::User(row) => bytes(row, out),
        Row::Password(row) => bytes(row, out),
        Row::Device(row) => bytes_of_version(DEVICE_VERSION, row, out),
        Row::Binding(row) => bytes(row, out),
        Row::Token(row) => bytes(row, out),
        Row::Cursor(row) => bytes(row, out),
        Row::Place(row) => bytes(row, out),
        Row::Contact(row) => bytes(row, out),
        Row::ProfileChange(row) => bytes(row, out),
        Row::Trace(row) => bytes(row, out),
        Row::Event(row) => bytes(row, out),
        Row::EventCursor(row) => bytes(row, out),
        Row::PushSettings(row) => bytes(row, out),
        Row::PushPolicy(row) => bytes(row, out),
        Row::PushTemplate(row) => bytes(row, out),
        Row::Outcome(row) => bytes(row, out),
        Row::Credential(row) => bytes(row, out),
        Row::Webhook(row) => bytes(row, out),
        Row::Statistic(row) => bytes(row, out),
        Row::Kept(row) => bytes(row, out),
    }
}

/// The row of these bytes.
pub(crate) fn decode(table: Table, bytes: &[u8]) -> Result<Row, Failure> {
    match table {
        Table::Conversation => row("conversation", bytes).map(Row::Conversation),
        Table::Member => row("member", bytes).map(Row::Member),
        Table::Entry => row("entry", bytes).map(Row::Entry),
        Table::Sent => row("sent", bytes).map(Row::Sent),
        Table::Message => row("message", bytes).map(Row::Message),
        Table::Own => row("own", bytes).map(Row::Own),
        Table::Recalled => row("recalled", bytes).map(Row::Recalled),
        Table::Amended => row("amended", bytes).map(Row::Amended),
        Table::Work => row("work", bytes).map(Row::Work),
        Table::Note => row("note", bytes).map(Row::Note),
        Table::User => row("user", bytes).map(Row::User),
        Table::Password => row("password", bytes).map(Row::Password),
        Table::Device => device(bytes).map(Row::Device),
        Table::Binding => row("binding", bytes).map(Row::Binding),
        Table::Token => row("token", bytes).map(Row::Token),
        Table::Cursor => row("cursor", bytes).map(Row::Cursor),
        Table::Place => row("place", bytes).map(Row::Place),
        Table::Contact => row("contact", bytes).map(Row::Contact),
        Table::ProfileChange => row("profile_change", bytes).map(Row::ProfileChange),
        Table::Trace => row("trace", bytes).map(Row::Trace),
        Table::Event => row("event", bytes).map(Row::Event),
        Table::EventCursor => row("event_cursor", bytes).map(Row::EventCursor),
        Table::PushSettings => row("push_settings", bytes).map(Row::PushSettings),
        Table::PushPolicy => row("push_policy", bytes).map(Row::PushPolicy),
        Table::PushTemplate => row("push_template", bytes).map(Row::PushTemplate),
        Table::Outcome => row("outcome", bytes).map(Row::Outcome),
        Table::Credential => row("credential", bytes).map(Row::Credential),
        Table::Webhook => row("webhook", bytes).map(Row::Webhook),
        Table::Statistic => row("statistic", bytes).map(Row::Statistic),
        Table::Kept => row("kept", bytes).map(Row::Kept),
    }
}

fn bytes(row: &impl Serialize, out: Vec<u8>) -> Vec<u8> {
    bytes_of_version(VERSION, row, out)
}

fn bytes_of_version(version: u8, row: &impl Serialize, mut out: Vec<u8>) -> Vec<u8> {
    out.push(version);
    postcard::to_extend(row, out).expect("rows are plain data, which postcard always encodes")
}

/// A row of the first version ends before its last field, which is none: a zero byte.
fn device(bytes: &[u8]) -> Result<DeviceRow, Failure> {
    match bytes {
        [VERSION, old @ ..] => {
            row_of_version(DEVICE_VERSION, "device", &[&[DEVICE_VERSION], old, &[0]].concat())
        }
        _ => row_of_version(DEVICE_VERSION, "device", bytes),
    }
}

fn row<R: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<R, Failure> {
    row_of_version(VERSION, table, bytes)
}

fn row_of_version<R: DeserializeOwned>(
    wanted: u8,
    table: &'static str,
    bytes: &[u8],
) -> Result<R, Failure> {
    let broken = |source| Failure::Row { table, source };
    let (version, rest) =
        bytes.split_first().ok_or_else(|| broken(postcard::Error::DeserializeUnexpectedEnd))?;
    if *version != wanted {
        return Err(Failure::Version { table, found: *version });
    }
    let (row, left) = postcard::take_from_bytes(rest).map_err(broken)?;
    if !left.is_empty() {
        return Err(broken(postcard::Error::DeserializeBadEncoding));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use nightjar_domain::EventRow;
    use nightjar_store_suite::Source;

    use super::*;

    fn event() -> Vec<u8> {
        encode(&Row::Event(EventRow { number: 1, json: "{}".into() }), Vec::new())
    }

    #[test]
    fn rows_of_every_table_come_back() {
        let mut source = Source::seeded(1);
        for _ in 0..2_000 {
            let row = source.row();
            assert_eq!(decode(Table::of(&row.key()), &encode(&row, Vec::new())).unwrap(), row);
        }
    }

    #[test]
    fn a_row_of_a_later_version_is_refused_by_name() {
        let mut bytes = event();
        bytes[0] = VERSION + 1;
        let failure = decode(Table::Event, &bytes).unwrap_err();
        assert!(
            matches!(failure, Failure::Version { table: "event", found } if found == VERSION + 1),
            "{failure}"
        );
    }

    #[test]
    fn a_row_that_is_too_short_or_too_long_is_refused_by_name() {
        let bytes = event();
        let long = [&bytes[..], &[0]].concat();
        for bytes in [&bytes[..0], &bytes[..1], &bytes[..bytes.len() - 1], &long] {
            let failure = decode(Table::Event, bytes).unwrap_err();
            assert!(matches!(failure, Failure::Row { table: "event", .. }), "{failure}");
        }
    }
}
