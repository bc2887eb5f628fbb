//! The corpus: what this version says, byte for byte. A change that reads or writes any of it
//! differently breaks clients that are out there.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use nightjar_wire::{Kind, Packet};

use crate::samples;

/// The bytes of a text of hexadecimal digits and line ends.
fn from_hex(text: &str) -> Bytes {
    let digits = text.chars().filter(|c| !c.is_whitespace());
    let digits: Vec<u8> =
        digits.map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn read(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    std::fs::read_to_string(directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn both_forms_of_every_packet_are_read_and_written_as_they_are_committed() {
    for sample in samples::all() {
        let (name, side) = (&sample.name, sample.side);
        let bytes = from_hex(&read(&format!("{name}.hex")));
        let json = read(&format!("{name}.json"));
        let json = json.trim_end();
        assert_eq!(sample.packet.to_bytes(), bytes, "{name} is written");
        assert_eq!(sample.packet.to_json(), json, "{name} is written in JSON");
        assert_eq!(Packet::decode(&bytes, side).as_ref(), Ok(&sample.packet), "{name} is read");
        let from_json = Packet::decode_json(json, side).unwrap();
        assert_eq!(from_json.to_json(), json, "{name} goes through JSON");
        if name != "deliver-binary" {
            assert_eq!(from_json, sample.packet, "{name} is read from JSON");
            assert_eq!(from_json.to_bytes(), bytes, "{name} goes from JSON to binary");
        }
    }
}

#[test]
fn the_corpus_has_every_command_and_no_file_of_no_packet() {
    let samples = samples::all();
    let expected: BTreeSet<String> = samples
        .iter()
        .flat_map(|sample| ["hex", "json"].map(|form| format!("{}.{form}", sample.name)))
        .collect();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let found: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, expected);
    for kind in Kind::ALL {
        let of_kind = |sample: &&samples::Sample| sample.packet.kind == *kind;
        assert!(samples.iter().any(|sample| of_kind(&sample)), "{kind:?}");
        let answered = samples.iter().filter(of_kind).any(|sample| sample.packet.code != 0);
        assert_eq!(answered, !kind.answer().is_empty(), "{kind:?}");
    }
}
