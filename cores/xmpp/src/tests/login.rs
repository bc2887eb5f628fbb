//! From the first byte to a bound device.

use super::*;

#[test]
fn nothing_but_starttls_before_tls() {
    let mut talk = Talk::new(Security::StartTls);
    talk.says(HEADER);
    let features = talk.told();
    assert!(features.contains("<starttls") && features.contains("<required/>"), "{features}");
    assert!(!features.contains("mechanism"), "{features}");
    talk.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><iq id='1' type='get'/>");
    assert_eq!(talk.told(), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(talk.asks, [Output::StartTls]);
    // What came in the clear behind it is nothing.
    talk.input(Input::Secured(Bindings::default()));
    assert_eq!(talk.told(), "");
    talk.says(HEADER);
    assert!(talk.told().contains("SCRAM-SHA-256"));
}

#[test]
fn anything_else_before_tls_ends_the_stream() {
    let rows = [
        (
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AA==</auth>",
            "not-authorized",
        ),
        (
            "<iq id='1' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
            "policy-violation",
        ),
        ("<message to='bob@localhost'><body>hi</body></message>", "policy-violation"),
    ];
    for (text, condition) in rows {
        let mut talk = Talk::new(Security::StartTls);
        talk.says(HEADER);
        talk.told();
        talk.says(text);
        let told = talk.told();
        assert!(told.contains(condition) && told.ends_with("</stream:stream>"), "{text}: {told}");
        assert!(talk.stream.is_over() && talk.commands.is_empty());
    }
}

#[test]
fn a_whole_login() {
    let mut talk = Talk::new(exporter());
    talk.says(HEADER);
    let features = talk.told();
    let features = features.split_once("en'>").expect("a header").1;
    insta::assert_snapshot!(lines(features));
    let told = talk.prove("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", b"exported", "pencil");
    assert!(told.contains("<success"), "{told}");
    talk.says(HEADER);
    let features = talk.told();
    for feature in ["urn:ietf:params:xml:ns:xmpp-bind", "urn:xmpp:sm:3", "urn:xmpp:csi:0"] {
        assert!(features.contains(feature), "{features}");
    }
    talk.says("<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    assert_eq!(talk.told(), "", "the lanes are asked first");
    talk.greet(Vec::new());
    let told = talk.told();
    assert!(told.contains("type='result'") && told.contains("<jid>alice@localhost/"), "{told}");
}

#[test]
fn what_must_not_log_in() {
    let rows = [
        ("a wrong password", "SCRAM-SHA-256", "n,,", &b""[..], "secret", "not-authorized"),
        (
            "another authzid",
            "SCRAM-SHA-256",
            "n,a=bob@localhost,",
            b"",
            "pencil",
            "invalid-authzid",
        ),
        ("y though -PLUS is offered", "SCRAM-SHA-256", "y,,", b"", "pencil", "not-authorized"),
        ("-PLUS without a binding", "SCRAM-SHA-256-PLUS", "n,,", b"", "pencil", "not-authorized"),
        (
            "a binding without -PLUS",
            "SCRAM-SHA-256",
            "p=tls-exporter,,",
            b"exported",
            "pencil",
            "not-authorized",
        ),
        (
            "another connection's binding",
            "SCRAM-SHA-256-PLUS",
            "p=tls-exporter,,",
            b"other",
            "pencil",
            "not-authorized",
        ),
        (
            "an unknown kind of binding",
            "SCRAM-SHA-256-PLUS",
            "p=tls-unique,,",
            b"exported",
            "pencil",
            "not-authorized",
        ),
        ("an unknown mechanism", "PLAIN", "n,,", b"", "pencil", "invalid-mechanism"),
    ];
    for (name, mechanism, gs2, binding, password, condition) in rows {
        let told = Talk::new(exporter()).log_in(mechanism, gs2, binding, password);
        assert!(told.contains("<failure") && told.contains(condition), "{name}: {told}");
    }
    let own = Talk::new(exporter()).log_in("SCRAM-SHA-256", "n,a=alice@localhost,", b"", "pencil");
    assert!(own.contains("<success"), "{own}");
}

#[test]
fn the_third_failed_try_ends_the_stream() {
    let mut talk = Talk::new(Security::Plain);
    talk.says(HEADER);
    talk.told();
    for _ in 0..2 {
        let told = talk.prove("SCRAM-SHA-256", "n,,", b"", "wrong");
        assert!(told.contains("not-authorized") && !talk.stream.is_over(), "{told}");
    }
    let told = talk.prove("SCRAM-SHA-256", "n,,", b"", "wrong");
    assert!(told.contains("policy-violation") && talk.stream.is_over(), "{told}");
}

#[test]
fn a_stranger_may_not_write_much_nor_wait_long() {
    let mut talk = Talk::new(Security::Plain);
    talk.says(HEADER);
    for _ in 0..5 {
        talk.says(&" ".repeat(16 << 10));
    }
    assert!(talk.told().contains("policy-violation") && talk.stream.is_over());
    for (security, ms) in [(Security::StartTls, 10_000), (Security::Plain, 30_000)] {
        let mut talk = Talk::new(security);
        assert_eq!(talk.stream.wait_until(), Some(Mono(ms)));
        talk.ms = ms;
        talk.input(Input::Timeout);
        assert!(talk.stream.is_over());
    }
}

#[test]
fn a_header_for_somebody_else_is_refused() {
    let rows = [
        (HEADER.replace("localhost", "example.com"), "host-unknown"),
        (HEADER.replace("to='localhost' ", ""), "host-unknown"),
        (HEADER.replace("version='1.0' xmlns", "xmlns"), "unsupported-version"),
        (HEADER.replace("to=", "from='bob@example.com' to="), "invalid-from"),
        ("<stream xmlns='jabber:client'>".into(), "invalid-namespace"),
        ("<!-- hello -->".into(), "restricted-xml"),
    ];
    for (header, condition) in rows {
        let mut talk = Talk::new(Security::Plain);
        talk.says(&header);
        let told = talk.told();
        assert!(told.starts_with("<?xml") && told.contains(condition), "{header}: {told}");
        assert!(talk.stream.is_over());
    }
}

#[test]
fn another_account_cannot_be_taken_once_logged_in() {
    let mut talk = Talk::new(Security::Plain);
    talk.log_in("SCRAM-SHA-256", "n,,", b"", "pencil");
    talk.says(&HEADER.replace("to=", "from='bob@localhost' to="));
    assert!(talk.told().contains("invalid-from") && talk.stream.is_over());
}
