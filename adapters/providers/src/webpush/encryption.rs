//! Message encryption for Web Push (RFC 8291) in one record of `aes128gcm` (RFC 8188).

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::subscription::{Keys, POINT_BYTES};

/// What push services must take at least (RFC 8030 §7.2), and most take no more.
const BODY_BYTES_MAX: usize = 4096;
const SALT_BYTES: usize = 16;
/// Salt, record size, length of the key id, our point as key id.
const HEAD_BYTES: usize = SALT_BYTES + 4 + 1 + POINT_BYTES;
/// The delimiter of the last record, and AES-GCM's tag.
const TAIL_BYTES: usize = 1 + 16;
/// The most that fits.
pub(super) const PLAINTEXT_BYTES_MAX: usize = BODY_BYTES_MAX - HEAD_BYTES - TAIL_BYTES;
/// One record holds everything, so any size above it will do.
const RECORD_BYTES: u32 = 4096;
/// Marks the last record (RFC 8188 §2).
const LAST_RECORD: u8 = 2;

/// The body of a request. A fresh key pair and salt each time: no two messages share a key.
///
/// # Errors
/// The subscription's point is not on the curve, or the system has no random bytes.
pub(super) fn encrypt(
    keys: &Keys,
    plaintext: &[u8],
    random: &SystemRandom,
) -> Result<Vec<u8>, Unspecified> {
    let private = EphemeralPrivateKey::generate(&ECDH_P256, random)?;
    let public = private.compute_public_key()?;
    let public = public.as_ref().try_into().map_err(|_| Unspecified)?;
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt)?;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, &keys.p256dh);
    agree_ephemeral(private, &theirs, |secret| seal(keys, secret, public, salt, plaintext))?
}

/// RFC 8291 §3.4, once both sides' secret is agreed on.
fn seal(
    keys: &Keys,
    secret: &[u8],
    public: [u8; POINT_BYTES],
    salt: [u8; SALT_BYTES],
    plaintext: &[u8],
) -> Result<Vec<u8>, Unspecified> {
    let of_both = Salt::new(HKDF_SHA256, &keys.auth).extract(secret);
    let input: [u8; 32] = expand(&of_both, &[b"WebPush: info\0", &keys.p256dh, &public])?;
    let of_message = Salt::new(HKDF_SHA256, &salt).extract(&input);
    let key: [u8; 16] = expand(&of_message, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce: [u8; 12] = expand(&of_message, &[b"Content-Encoding: nonce\0"])?;

    let mut record = [plaintext, &[LAST_RECORD]].concat();
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?).seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::empty(),
        &mut record,
    )?;
    let key_id_bytes = [u8::try_from(POINT_BYTES).map_err(|_| Unspecified)?];
    Ok([&salt[..], &RECORD_BYTES.to_be_bytes(), &key_id_bytes, &public, &record].concat())
}

fn expand<const N: usize>(key: &Prk, info: &[&[u8]]) -> Result<[u8; N], Unspecified> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = [0; N];
    key.expand(info, Length(N))?.fill(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn decoded<const N: usize>(text: &str) -> [u8; N] {
        URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap()
    }

    fn keys() -> Keys {
        Keys {
            p256dh: decoded(
                "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            ),
            auth: decoded("BTBZMqHH6r4Tts7J_aSIgg"),
        }
    }

    #[test]
    fn the_example_of_rfc_8291_appendix_a() {
        let body = seal(
            &keys(),
            &decoded::<32>("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"),
            decoded(
                "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
            ),
            decoded("DGv6ra1nlYgDCS1FRnbzlw"),
            b"When I grow up, I want to be a watermelon",
        );
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vC\
                        YLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXL\
                        WyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(URL_SAFE_NO_PAD.encode(body.unwrap()), expected);
    }

    #[test]
    fn the_longest_plaintext_fills_the_body_and_no_two_bodies_are_alike() {
        let longest = [b'x'; PLAINTEXT_BYTES_MAX];
        let encrypted = || encrypt(&keys(), &longest, &SystemRandom::new()).unwrap();
        let (one, other) = (encrypted(), encrypted());
        assert_eq!((PLAINTEXT_BYTES_MAX, one.len()), (3993, BODY_BYTES_MAX));
        assert_ne!(one[..SALT_BYTES], other[..SALT_BYTES]);
        assert_ne!(one[HEAD_BYTES - POINT_BYTES..], other[HEAD_BYTES - POINT_BYTES..]);
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_is_refused() {
        let mut keys = keys();
        keys.p256dh[64] ^= 1;
        assert!(encrypt(&keys, b"x", &SystemRandom::new()).is_err());
    }
}
