//! The published exchanges, and what must not pass.

use super::*;

struct Published {
    hash: Hash,
    user_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    client_first: &'static str,
    server_first: &'static str,
    client_final: &'static str,
    server_final: &'static str,
}

/// RFC 5802 §5 and RFC 7677 §3: user `user`, password `pencil`.
const PUBLISHED: [Published; 2] = [
    Published {
        hash: Hash::Sha1,
        user_nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                       p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    },
    Published {
        hash: Hash::Sha256,
        user_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    },
];

impl Published {
    fn exchange(&self) -> (Exchange, String) {
        let salt = STANDARD.decode(self.salt).unwrap();
        let keys = super::keys(self.hash, &Secret::new("pencil".into()), salt, 4096);
        let first = ClientFirst::parse(self.client_first.as_bytes()).unwrap();
        Exchange::start(self.hash, &first, keys.unwrap(), self.server_nonce)
    }
}

#[test]
fn the_published_exchanges() {
    for published in &PUBLISHED {
        let (exchange, server_first) = published.exchange();
        assert_eq!(server_first, published.server_first);
        let server_final = exchange.finish(published.client_final.as_bytes(), b"").unwrap();
        assert_eq!(server_final, published.server_final);
    }
}

#[test]
fn one_changed_byte_of_the_last_message_is_refused() {
    for published in &PUBLISHED {
        let message = published.client_final.as_bytes();
        for at in 0..message.len() {
            let mut changed = message.to_vec();
            changed[at] ^= 1;
            let result = published.exchange().0.finish(&changed, b"");
            assert!(result.is_err(), "{}", String::from_utf8_lossy(&changed));
        }
        assert_eq!(published.exchange().0.finish(message, b"x"), Err(ScramError::NotAuthorized));
        let short = &message[..message.len() - 4];
        assert!(published.exchange().0.finish(short, b"").is_err());
    }
}

#[test]
fn a_nonce_of_an_earlier_exchange_is_refused() {
    for published in &PUBLISHED {
        let first = ClientFirst::parse(published.client_first.as_bytes()).unwrap();
        let (exchange, _) = published.exchange();
        let (again, _) = Exchange::start(published.hash, &first, exchange.keys, "another");
        let result = again.finish(published.client_final.as_bytes(), b"");
        assert_eq!(result, Err(ScramError::NotAuthorized), "{}", published.user_nonce);
    }
}

#[test]
fn the_first_message_in_all_its_forms() {
    let parsed = |text: &str| ClientFirst::parse(text.as_bytes());
    let first = parsed("p=tls-exporter,a=juliet,n=a=2Cb=3Dc,r=x,ext=1").unwrap();
    assert_eq!(first.binding, ChannelBinding::Type("tls-exporter".into()));
    assert_eq!((first.authzid.as_deref(), first.user.as_str()), (Some("juliet"), "a,b=c"));
    assert_eq!(first.gs2_header, "p=tls-exporter,a=juliet,");
    assert_eq!(parsed("y,,n=u,r=x").unwrap().binding, ChannelBinding::Unused);
    assert_eq!(parsed("n,,m=1,n=u,r=x"), Err(ScramError::Extension));
    let malformed = [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=u",
        "n,,n=,r=x",
        "n,,n=u,r=",
        "n,,r=x,n=u",
        "x,,n=u,r=x",
        "p=,,n=u,r=x",
        "n,b=1,n=u,r=x",
        "n,,n=a=2,r=x",
        "n,,n=a=2D,r=x",
        "n,,n=u,r=a b",
        "n,,n=\0,r=x",
    ];
    for text in malformed {
        assert_eq!(parsed(text), Err(ScramError::Malformed), "{text:?}");
    }
    let long = format!("n,,n=u,r={}", "x".repeat(NONCE_BYTES_MAX + 1));
    assert_eq!(parsed(&long), Err(ScramError::Malformed));
}

#[test]
fn a_password_is_prepared_before_it_is_hashed() {
    let keys =
        |password: &str| super::keys(Hash::Sha1, &Secret::new(password.into()), vec![7; 16], 1);
    assert_eq!(keys("I\u{ad}X"), keys("IX"), "a soft hyphen is nothing (RFC 4013 §3)");
    assert_eq!(keys("\u{aa}"), keys("a"));
    assert_eq!(keys("\u{7}"), Err(ScramError::Password));
    assert_eq!(keys(""), Err(ScramError::Password));
}

#[test]
fn somebody_who_does_not_exist_looks_the_same_every_time() {
    let decoy = decoy_keys(b"server", "romeo", 10_000);
    assert_eq!(decoy, decoy_keys(b"server", "romeo", 10_000));
    assert_ne!(decoy.salt, decoy_keys(b"server", "juliet", 10_000).salt);
    assert_eq!(decoy.salt.len(), 16);
}
