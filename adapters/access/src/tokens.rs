//! User tokens: JWT, HS256 and nothing else.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use nightjar_model::{DeviceId, Reject, Secret, Uid, WallMs};
use serde::{Deserialize, Serialize};

/// A token's life when none is asked for.
const TTL_S: u64 = 30 * 24 * 3600;
/// A push-scoped token's life: an app that did not connect for so long is told little by a push
/// that its extension could not look up.
const PUSH_TTL_S: u64 = 90 * 24 * 3600;
/// The scope of a token that only looks up pushed messages.
const PUSH_SCOPE: &str = "push";
/// The longest life that can be asked for.
const TTL_S_MAX: u64 = 400 * 24 * 3600;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who.
    pub uid: Uid,
    /// The only device it is for, if it is for one.
    pub device_id: Option<DeviceId>,
    /// When it was issued.
    pub issued_at: WallMs,
}

/// What a verified push-scoped token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushClaims {
    /// Who.
    pub uid: Uid,
    /// The device whose pushes may be looked up.
    pub device_id: DeviceId,
    /// When it was issued.
    pub issued_at: WallMs,
}

/// A new token.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The text to give to the client.
    pub token: Secret<String>,
    /// When it ends.
    pub expires_at: WallMs,
}

/// Issues and verifies tokens under one secret.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    /// `None`: a user's token, which opens sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// Milliseconds: a kick must tell tokens of one second apart.
    iat_ms: u64,
    iat: u64,
    exp: u64,
}

impl Tokens {
    /// Tokens under this secret.
    #[must_use]
    pub fn new(secret: &Secret<String>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        // Time comes in as an argument.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self {
            encoding: EncodingKey::from_secret(secret.expose().as_bytes()),
            decoding: DecodingKey::from_secret(secret.expose().as_bytes()),
            validation,
        }
    }

    /// A token for a user, or for one device of a user.
    ///
    /// # Errors
    /// [`Reject::BadRequest`] when `ttl_s` is 0 or above 400 days.
    pub fn issue(
        &self,
        uid: &Uid,
        device_id: Option<&DeviceId>,
        ttl_s: Option<u64>,
        now: WallMs,
    ) -> Result<IssuedToken, Reject> {
        let ttl_s = ttl_s.unwrap_or(TTL_S);
        if ttl_s == 0 || ttl_s > TTL_S_MAX {
            return Err(Reject::BadRequest);
        }
        self.sign(uid, device_id, None, ttl_s, now)
    }

    /// A token that a device's extension or worker looks up pushed messages with, and that opens
    /// nothing else.
    ///
    /// # Errors
    /// [`Reject::Internal`], which never happens with a secret of ours.
    pub fn issue_for_push(
        &self,
        uid: &Uid,
        device_id: &DeviceId,
        now: WallMs,
    ) -> Result<IssuedToken, Reject> {
        self.sign(uid, Some(device_id), Some(PUSH_SCOPE), PUSH_TTL_S, now)
    }

    fn sign(
        &self,
        uid: &Uid,
        device_id: Option<&DeviceId>,
        scope: Option<&str>,
        ttl_s: u64,
        now: WallMs,
    ) -> Result<IssuedToken, Reject> {
        let expires_at = now.after(ttl_s * 1_000);
        let payload = Payload {
            sub: uid.to_string(),
            device_id: device_id.map(ToString::to_string),
            scope: scope.map(str::to_owned),
            iat_ms: now.0,
            iat: now.0 / 1_000,
            exp: expires_at.0.div_ceil(1_000),
        };
        let token = encode(&Header::new(Algorithm::HS256), &payload, &self.encoding)
            .map_err(|_| Reject::Internal)?;
        Ok(IssuedToken { token: Secret::new(token), expires_at })
    }

    /// What a user's token says, if it is one of ours and its time is not over.
    ///
    /// # Errors
    /// [`Reject::BadToken`], [`Reject::TokenExpired`].
    pub fn verify(&self, token: &Secret<String>, now: WallMs) -> Result<Claims, Reject> {
        let (claims, scope) = self.read(token, now)?;
        if scope.is_some() {
            return Err(Reject::BadToken);
        }
        Ok(claims)
    }

    /// What a push-scoped token says, if it is one of ours and its time is not over.
    ///
    /// # Errors
    /// [`Reject::BadToken`], also for a user's token; [`Reject::TokenExpired`].
    pub fn verify_for_push(
        &self,
        token: &Secret<String>,
        now: WallMs,
    ) -> Result<PushClaims, Reject> {
        let (Claims { uid, device_id, issued_at }, scope) = self.read(token, now)?;
        match (device_id, scope.as_deref()) {
            (Some(device_id), Some(PUSH_SCOPE)) => Ok(PushClaims { uid, device_id, issued_at }),
            _ => Err(Reject::BadToken),
        }
    }

    fn read(
        &self,
        token: &Secret<String>,
        now: WallMs,
    ) -> Result<(Claims, Option<String>), Reject> {
        let found = decode::<Payload>(token.expose(), &self.decoding, &self.validation)
            .map_err(|_| Reject::BadToken)?
            .claims;
        if found.exp * 1_000 <= now.0 {
            return Err(Reject::TokenExpired);
        }
        let device_id = found.device_id.as_deref().map(DeviceId::parse).transpose();
        let claims = Claims {
            uid: Uid::parse(&found.sub).map_err(|_| Reject::BadToken)?,
            device_id: device_id.map_err(|_| Reject::BadToken)?,
            issued_at: WallMs(found.iat_ms),
        };
        Ok((claims, found.scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_token_says_what_it_was_issued_for() {
        let tokens = Tokens::new(&secret("one"));
        let uid = Uid::parse("bob").unwrap();
        let phone = DeviceId::parse("phone").unwrap();
        let issued = tokens.issue(&uid, Some(&phone), Some(60), WallMs(5_000)).unwrap();
        let claims = tokens.verify(&issued.token, WallMs(6_000)).unwrap();
        assert_eq!(claims, Claims { uid, device_id: Some(phone), issued_at: WallMs(5_000) });
    }

    #[test]
    fn a_token_of_one_scope_opens_nothing_of_the_other() {
        let tokens = Tokens::new(&secret("one"));
        let uid = Uid::parse("bob").unwrap();
        let phone = DeviceId::parse("phone").unwrap();
        let for_push = tokens.issue_for_push(&uid, &phone, WallMs(5_000)).unwrap();
        let of_user = tokens.issue(&uid, Some(&phone), None, WallMs(5_000)).unwrap();
        let now = WallMs(6_000);
        let claims = PushClaims { uid, device_id: phone, issued_at: WallMs(5_000) };
        assert_eq!(tokens.verify_for_push(&for_push.token, now), Ok(claims));
        assert_eq!(tokens.verify(&for_push.token, now), Err(Reject::BadToken));
        assert_eq!(tokens.verify_for_push(&of_user.token, now), Err(Reject::BadToken));
        let late = for_push.expires_at;
        assert_eq!(tokens.verify_for_push(&for_push.token, late), Err(Reject::TokenExpired));
    }

    #[test]
    fn forged_foreign_and_old_tokens_are_named() {
        let tokens = Tokens::new(&secret("one"));
        let uid = Uid::parse("bob").unwrap();
        let issued = tokens.issue(&uid, None, Some(60), WallMs(0)).unwrap();
        assert_eq!(tokens.verify(&issued.token, WallMs(60_000)), Err(Reject::TokenExpired));
        let other = Tokens::new(&secret("two"));
        assert_eq!(other.verify(&issued.token, WallMs(1)), Err(Reject::BadToken));
        assert_eq!(tokens.verify(&secret("x.y.z"), WallMs(1)), Err(Reject::BadToken));
        // {"alg":"none"} with our claims.
        let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJpYXRfbXMiOjAsImlhdCI6MCwiZXhwIjo5OTk5OTk5OTk5fQ.";
        assert_eq!(tokens.verify(&secret(none), WallMs(1)), Err(Reject::BadToken));
    }
}
