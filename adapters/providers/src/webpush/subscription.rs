//! What a browser or a distributor gives an app: where to send, and the keys to encrypt with.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::Uri;
use serde::Deserialize;

use crate::transport::origin_of;

/// An uncompressed point of P-256.
pub(super) const POINT_BYTES: usize = 65;
/// RFC 8291 §3.2.
pub(super) const AUTH_BYTES: usize = 16;
/// UnifiedPush allows an endpoint 1000 bytes; the browsers' are shorter.
const ENDPOINT_BYTES_MAX: usize = 2_000;

/// Browsers leave the padding out, libraries put it in.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One endpoint.
pub(super) struct Subscription {
    pub(super) endpoint: Uri,
    /// `scheme://host[:port]`, what a signature is for (RFC 8292 §2).
    pub(super) origin: String,
    /// Endpoints from before UnifiedPush became Web Push have none.
    pub(super) keys: Option<Keys>,
}

/// What only the app and we know.
pub(super) struct Keys {
    pub(super) p256dh: [u8; POINT_BYTES],
    pub(super) auth: [u8; AUTH_BYTES],
}

#[derive(Deserialize)]
struct Json {
    endpoint: String,
    keys: Option<JsonKeys>,
}

#[derive(Deserialize)]
struct JsonKeys {
    p256dh: String,
    auth: String,
}

impl Subscription {
    /// Reads the JSON of `PushSubscription`; `None` for anything else.
    pub(super) fn read(token: &str) -> Option<Self> {
        let json: Json = serde_json::from_str(token).ok()?;
        if json.endpoint.len() > ENDPOINT_BYTES_MAX {
            return None;
        }
        let endpoint: Uri = json.endpoint.parse().ok()?;
        let keys = match json.keys {
            Some(keys) => Some(Keys { p256dh: bytes(&keys.p256dh)?, auth: bytes(&keys.auth)? }),
            None => None,
        };
        Some(Self { origin: origin_of(&endpoint)?, endpoint, keys })
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text.replace('+', "-").replace('/', "_")).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of RFC 8291, appendix A.
    const P256DH: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn read(endpoint: &str, p256dh: &str, auth: &str) -> Option<Subscription> {
        let keys = format!(r#"{{"p256dh":"{p256dh}","auth":"{auth}"}}"#);
        let rest = r#""expirationTime":null"#;
        Subscription::read(&format!(r#"{{"endpoint":"{endpoint}",{rest},"keys":{keys}}}"#))
    }

    #[test]
    fn keys_are_read_in_every_form_libraries_write() {
        for (p256dh, auth) in [
            (P256DH.to_owned(), AUTH.to_owned()),
            (format!("{P256DH}="), format!("{AUTH}==")),
            (P256DH.replace('-', "+").replace('_', "/"), AUTH.replace('_', "/")),
        ] {
            let keys = read("https://push.example/x", &p256dh, &auth).unwrap().keys.unwrap();
            assert_eq!((keys.p256dh[0], keys.auth[0]), (4, 5));
        }
    }

    #[test]
    fn what_is_no_subscription_is_none() {
        assert!(Subscription::read("https://push.example/x").is_none());
        assert!(Subscription::read(r#"{"endpoint":"/x"}"#).is_none());
        for endpoint in ["ftp://a.example/", "https://u:p@a.example/", "file:///x", "a b", ""] {
            assert!(read(endpoint, P256DH, AUTH).is_none(), "{endpoint}");
        }
        assert!(read(&format!("https://a.example/{}", "x".repeat(2000)), P256DH, AUTH).is_none());
        assert!(read("https://a.example/", &P256DH[..80], AUTH).is_none());
        assert!(read("https://a.example/", P256DH, "AAAA").is_none());
        assert!(read("https://a.example/", P256DH, "????").is_none());
        let keyless = Subscription::read(r#"{"endpoint":"https://a.example/x"}"#).unwrap();
        assert!(keyless.keys.is_none());
    }
}
