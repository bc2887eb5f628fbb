//! Streams as they come, cut anywhere, broken anyhow.

use proptest::prelude::*;

use super::*;

const HEAD: &str = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' \
                    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// All items, with the bytes handed over in pieces of these sizes.
fn items(bytes: &[u8], pieces: &[usize], limits: Limits) -> Result<Vec<Item>, StreamError> {
    let mut reader = Reader::new(limits);
    let mut items = Vec::new();
    let mut left = bytes;
    for size in pieces.iter().copied().chain([usize::MAX]) {
        let (mut now, later) = left.split_at(size.min(left.len()));
        left = later;
        while let Some(item) = reader.read(&mut now)? {
            items.push(item);
        }
    }
    Ok(items)
}

fn of(text: &str) -> Result<Vec<Item>, StreamError> {
    items(format!("{HEAD}{text}").as_bytes(), &[], Limits::USER)
}

fn printed(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| format!("{item:?}")).collect()
}

#[test]
fn a_stream_from_its_head_to_its_end() {
    let items = of("<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq> \n\
                    <stream:features/><message><body>a&amp;b<![CDATA[<c>]]></body></message>\
                    </stream:stream>")
    .unwrap();
    assert_eq!(
        printed(&items),
        [
            "Open(<stream xmlns='http://etherx.jabber.org/streams' to='localhost' version='1.0'/>)",
            "Element(<iq xmlns='jabber:client' id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>)",
            "Element(<features xmlns='http://etherx.jabber.org/streams'/>)",
            "Element(<message xmlns='jabber:client'><body>a&amp;b&lt;c&gt;</body></message>)",
            "Close",
        ]
    );
}

#[test]
fn what_xmpp_forbids_is_named() {
    let condition = |text: &str| of(text).map(|items| printed(&items)).unwrap_err().condition();
    let rows = [
        ("<!-- hm -->", "restricted-xml"),
        ("<?php ?>", "restricted-xml"),
        ("<message>&bomb;</message>", "restricted-xml"),
        ("<a:b/>", "bad-namespace-prefix"),
        ("<message></iq>", "not-well-formed"),
        ("<message a='1' a='2'/>", "not-well-formed"),
        ("<message a=1/>", "not-well-formed"),
        ("<message>\u{1}</message>", "not-well-formed"),
        ("hello", "bad-format"),
        ("<stream:stream/>", "bad-format"),
    ];
    for (text, expected) in rows {
        assert_eq!(condition(text), expected, "{text}");
    }
    let whole = |text: &str| items(text.as_bytes(), &[], Limits::USER).unwrap_err().condition();
    let dtd = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a/>";
    assert_eq!(whole(dtd), "restricted-xml");
    assert_eq!(whole("<stream xmlns='jabber:client'/>"), "invalid-namespace");
    let no_text = [HEAD.as_bytes(), b"<message>\xff</message>"].concat();
    let error = items(&no_text, &[], Limits::USER).unwrap_err();
    assert_eq!(error.condition(), "unsupported-encoding");
}

#[test]
fn an_element_that_is_too_large_is_dropped_and_the_next_is_read() {
    let limits = Limits { element_bytes: 1_000, elements: 10, depth: 5 };
    let read = |text: &str| items(format!("{HEAD}{text}").as_bytes(), &[], limits);
    let large = format!("<message id='7'><body>{}</body></message><r/>", "x".repeat(2_000));
    let many = format!("<message id='7'>{}</message><r/>", "<a/>".repeat(10));
    for text in [large, many] {
        let items = read(&text).unwrap();
        assert_eq!(
            printed(&items)[1..],
            [
                "TooLarge(<message xmlns='jabber:client' id='7'/>)",
                "Element(<r xmlns='jabber:client'/>)"
            ]
        );
    }
    let endless = format!("<message><body>{}", "x".repeat(1_000 * SKIP_TIMES));
    let deep = "<a>".repeat(6);
    let head = format!("<message {}", "a='x' ".repeat(2_000));
    let name = format!("<{}/>", "a".repeat(NAME_BYTES_MAX + 1));
    let attributes: String = (0..=ATTRIBUTES_MAX).map(|n| format!(" a{n}=''")).collect();
    let attributes = format!("<a{attributes}/>");
    for text in [endless, deep, head, name, attributes] {
        assert_eq!(read(&text), Err(StreamError::PolicyViolation), "{text:.40}");
    }
}

#[test]
fn white_space_keeps_a_connection_alive_for_ever() {
    let space = " ".repeat(Limits::STRANGER.element_bytes * 40);
    let text = format!("{HEAD}{space}<a/>");
    let pieces = vec![1_000; 400];
    assert_eq!(items(text.as_bytes(), &pieces, Limits::STRANGER).unwrap().len(), 2);
}

#[test]
fn a_websocket_message_is_one_element() {
    let read = |text: &str| Reader::message(text, Limits::USER);
    let open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a'/>";
    assert!(matches!(read(open), Ok(Item::Element(open)) if open.get("to") == Some("a")));
    for text in ["", "<a>", "<a/><b/>", "<a/>x", "x"] {
        assert!(read(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut(pieces in prop::collection::vec(1usize..9, 0..80)) {
        let text = format!(
            "{HEAD}<message to='ü@x'><body>grüße &#x1F426;&lt;</body><x xmlns='a'><y b='c'/></x>\
             </message>  <r xmlns='urn:xmpp:sm:3'/></stream:stream>"
        );
        let whole = items(text.as_bytes(), &[], Limits::USER).unwrap();
        prop_assert_eq!(whole.len(), 4);
        prop_assert_eq!(items(text.as_bytes(), &pieces, Limits::USER).unwrap(), whole);
    }

    #[test]
    fn nothing_that_comes_is_worse_than_an_error(
        at in 0usize..400,
        with in any::<u8>(),
        end in 0usize..400,
    ) {
        let text = format!(
            "{HEAD}<iq id='1'><query xmlns='jabber:iq:roster' ver='2'/></iq><a h='3' xmlns='urn:xmpp:sm:3'/>\
             <message><body>&quot;<b/></body></message>"
        );
        let mut bytes = text.into_bytes();
        let at = at % bytes.len();
        bytes[at] = with;
        bytes.truncate(end.max(1));
        let _ = items(&bytes, &[7, 30], Limits::STRANGER);
    }

    #[test]
    fn what_is_read_and_written_is_read_the_same(text in "<a( [a-c]='[a-z &&[^&]]{0,5}'){0,1}>[a-zü ]{0,9}(<b xmlns='u:[a-c]'>[x-z]{0,3}</b>){0,3}</a>") {
        if let Ok(Item::Element(element)) = Reader::message(&text, Limits::USER) {
            let again = Reader::message(&element.to_xml(), Limits::USER);
            prop_assert_eq!(again, Ok(Item::Element(element)));
        }
    }
}
