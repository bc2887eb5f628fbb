//! Tokens nobody issued, certificates that do not fit, addresses that come often.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use nightjar_access::{HandshakeRate, TlsError, Tokens, server_config};
use nightjar_model::{DeviceId, Mono, Reject, Secret, Uid, WallMs};
use serde_json::json;

const SECRET: &str = "a secret of the server";

fn tokens() -> Tokens {
    Tokens::new(&Secret::new(SECRET.to_owned()))
}

/// A token with these claims under this algorithm, signed with the server's own secret.
fn signed(algorithm: Algorithm, claims: &serde_json::Value) -> Secret<String> {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    Secret::new(encode(&Header::new(algorithm), claims, &key).unwrap())
}

fn claims() -> serde_json::Value {
    json!({"sub": "bob", "device_id": "phone", "iat_ms": 1_500, "iat": 1, "exp": 100})
}

#[test]
fn a_token_of_another_algorithm_is_refused_even_with_the_right_secret() {
    let tokens = tokens();
    let good = tokens.verify(&signed(Algorithm::HS256, &claims()), WallMs(2_000)).unwrap();
    assert_eq!((good.uid.as_str(), good.issued_at), ("bob", WallMs(1_500)));
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let refused = tokens.verify(&signed(algorithm, &claims()), WallMs(2_000));
        assert_eq!(refused, Err(Reject::BadToken), "{algorithm:?}");
    }
}

#[test]
fn a_token_without_a_claim_or_with_a_bad_one_is_refused() {
    let tokens = tokens();
    for missing in ["sub", "iat_ms", "iat", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(missing);
        let refused = tokens.verify(&signed(Algorithm::HS256, &claims), WallMs(2_000));
        assert_eq!(refused, Err(Reject::BadToken), "without {missing}");
    }
    for (name, value) in [("sub", "a:b"), ("sub", ""), ("device_id", ""), ("device_id", "a b")] {
        let mut claims = claims();
        claims[name] = value.into();
        let refused = tokens.verify(&signed(Algorithm::HS256, &claims), WallMs(2_000));
        assert_eq!(refused, Err(Reject::BadToken), "{name} = {value:?}");
    }
}

#[test]
fn a_token_that_lost_or_changed_a_character_is_refused() {
    let tokens = tokens();
    let token = signed(Algorithm::HS256, &claims());
    let text = token.expose();
    for at in 0..text.len() {
        let mut shorter = text.clone();
        shorter.remove(at);
        assert!(tokens.verify(&Secret::new(shorter), WallMs(2_000)).is_err(), "without {at}");
    }
    let signature = text.rfind('.').unwrap() + 1;
    for at in (0..signature - 1).chain(signature..text.len() - 1) {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = Secret::new(String::from_utf8(changed).unwrap());
        assert!(tokens.verify(&changed, WallMs(2_000)).is_err(), "changed at {at}");
    }
}

#[test]
fn a_token_lives_as_long_as_was_asked_within_bounds() {
    let tokens = tokens();
    let (uid, phone) = (Uid::parse("bob").unwrap(), DeviceId::parse("phone").unwrap());
    let issue = |ttl_s| tokens.issue(&uid, Some(&phone), ttl_s, WallMs(1_234));
    let day = 24 * 3600;
    assert_eq!(issue(None).unwrap().expires_at, WallMs(1_234 + 30 * day * 1_000));
    assert_eq!(issue(Some(0)).unwrap_err(), Reject::BadRequest);
    assert!(issue(Some(400 * day)).is_ok());
    assert_eq!(issue(Some(400 * day + 1)).unwrap_err(), Reject::BadRequest);
    assert_eq!(issue(Some(u64::MAX)).unwrap_err(), Reject::BadRequest);
    let issued = issue(Some(10)).unwrap();
    assert!(tokens.verify(&issued.token, WallMs(11_233)).is_ok());
    assert_eq!(tokens.verify(&issued.token, WallMs(12_000)), Err(Reject::TokenExpired));
}

#[test]
fn one_host_has_one_count_however_many_addresses_it_has() {
    let rate = HandshakeRate::new(3);
    let address =
        |host: u16, last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, host, 0, 0, 0, last));
    let allowed = (0..10).filter(|last| rate.allows(address(1, *last), Mono(5_000))).count();
    assert_eq!(allowed, 3, "a /64 is what one host gets");
    assert!(rate.allows(address(2, 0), Mono(5_000)));
}

#[test]
fn a_flood_of_addresses_costs_no_more_memory_than_the_limit() {
    let rate = HandshakeRate::new(1);
    for n in 0..200_000_u32 {
        rate.allows(IpAddr::V4(Ipv4Addr::from(n)), Mono(1_000));
    }
    let counted = format!("{rate:?}").matches(": 1").count();
    assert!((1..=65_536).contains(&counted), "{counted} addresses");
}

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }
}

#[test]
fn certificates_are_read_and_what_is_wrong_with_them_is_named() {
    let files = Files { directory: tempfile::tempdir().unwrap() };
    let pair = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (one, two) = (pair(), pair());
    let cert = files.write("cert.pem", &one.cert.pem());
    let key = files.write("key.pem", &one.signing_key.serialize_pem());
    let other_key = files.write("other.pem", &two.signing_key.serialize_pem());
    let nonsense = files.write("nonsense.pem", "-----BEGIN NONSENSE-----\nnope\n");
    let missing = files.directory.path().join("missing.pem");
    assert!(server_config(&cert, &key).is_ok());
    assert!(matches!(server_config(&cert, &other_key), Err(TlsError::Pair(_))));
    let named = |cert: &Path, key: &Path| server_config(cert, key).unwrap_err().to_string();
    let told = named(&missing, &key);
    assert!(told.contains("certificate file") && told.contains("missing.pem"), "{told}");
    let told = named(&cert, &missing);
    assert!(told.contains("key file") && told.contains("missing.pem"), "{told}");
    let told = named(&cert, &nonsense);
    assert!(told.contains("key file") && told.contains("nonsense.pem"), "{told}");
    assert!(server_config(&nonsense, &key).is_err());
    assert!(server_config(&key, &key).is_err(), "a key is no certificate");
}
