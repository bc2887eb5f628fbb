//! Packets out of a byte stream.

use bytes::{Bytes, BytesMut};
use nightjar_model::limits::PACKET_BYTES_MAX;
use nightjar_wire::{HEADER_BYTES, Header, Packet, Side, WireError, next_packet};
use proptest::prelude::*;

use crate::samples;

/// Every packet of the corpus, one after the other.
fn stream() -> Vec<Bytes> {
    samples::all().iter().map(|sample| sample.packet.to_bytes()).collect()
}

fn take_all(buffer: &mut BytesMut) -> Vec<Bytes> {
    std::iter::from_fn(|| next_packet(buffer).unwrap()).collect()
}

proptest! {
    #[test]
    fn a_stream_gives_the_same_packets_however_it_is_split(
        pieces in prop::collection::vec(1_usize..200, 1..400)
    ) {
        let packets = stream();
        let mut rest = &packets.concat()[..];
        let mut sizes = pieces.iter().copied().cycle();
        let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(sizes.next().unwrap().min(rest.len()));
            rest = more;
            buffer.extend_from_slice(piece);
            found.extend(take_all(&mut buffer));
        }
        prop_assert_eq!(found, packets);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn any_bytes_are_packets_or_a_bad_length(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        loop {
            match next_packet(&mut buffer) {
                Ok(Some(packet)) => prop_assert!(packet.len() >= HEADER_BYTES),
                Ok(None) => break,
                Err(error) => {
                    let is_named = matches!(error, WireError::BadLength { .. });
                    prop_assert!(is_named);
                    break;
                }
            }
        }
    }
}

#[test]
fn one_byte_at_a_time_gives_every_packet_at_its_last_byte() {
    for packet in stream() {
        let mut buffer = BytesMut::new();
        let (last, first) = packet.split_last().unwrap();
        for byte in first {
            buffer.extend_from_slice(&[*byte]);
            assert_eq!(next_packet(&mut buffer), Ok(None));
        }
        buffer.extend_from_slice(&[*last]);
        assert_eq!(next_packet(&mut buffer), Ok(Some(packet)));
    }
}

fn header(length: i32) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    let mut out = &mut bytes[..];
    Header { length, serial: 1, command: 2, code: 0 }.put(&mut out);
    bytes
}

#[test]
fn a_hostile_length_is_refused_with_nothing_reserved_for_it() {
    let too_long = PACKET_BYTES_MAX as i32 + 1;
    let hostile = [i32::MIN, i32::MIN + 1, -16, -1, too_long, i32::MAX - 1, i32::MAX];
    for length in hostile.into_iter().chain(0..HEADER_BYTES as i32) {
        let bytes = header(length);
        // The four bytes of the field are enough to refuse it.
        for count in 4..=bytes.len() {
            let mut buffer = BytesMut::with_capacity(HEADER_BYTES);
            buffer.extend_from_slice(&bytes[..count]);
            let capacity = buffer.capacity();
            assert_eq!(next_packet(&mut buffer), Err(WireError::BadLength { length }));
            assert_eq!(buffer.capacity(), capacity, "length {length}");
        }
        let whole = Bytes::copy_from_slice(&bytes);
        assert_eq!(Header::parse(&bytes), Err(WireError::BadLength { length }));
        let read = Packet::decode(&whole, Side::Server);
        assert_eq!(read, Err(WireError::BadLength { length }));
    }
}

#[test]
fn the_shortest_and_the_longest_packet_pass() {
    let mut buffer = BytesMut::from(&header(HEADER_BYTES as i32)[..]);
    assert_eq!(next_packet(&mut buffer).unwrap().unwrap().len(), HEADER_BYTES);
    let mut buffer = BytesMut::from(&header(PACKET_BYTES_MAX as i32)[..]);
    assert_eq!(next_packet(&mut buffer), Ok(None));
    buffer.resize(PACKET_BYTES_MAX, 0);
    assert_eq!(next_packet(&mut buffer).unwrap().unwrap().len(), PACKET_BYTES_MAX);
}
