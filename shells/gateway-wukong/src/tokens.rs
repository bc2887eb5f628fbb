//! Tokens as back ends set them: one for each user and kind of device.

use nightjar_model::{Reject, Secret, Uid, WallMs};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::kept::Kept;

/// Level of a device that is alone among those of its kind.
pub(crate) const MASTER: u8 = 1;

/// What is kept of a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct TokenRecord {
    /// SHA-256, hexadecimal: whoever reads the store cannot log in with it.
    hash: String,
    /// 1 is a master.
    level: u8,
    /// When it was set.
    at: u64,
}

/// A login whose token is the one that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) is_master: bool,
    pub(crate) issued_at: WallMs,
}

/// Sets a token.
pub(crate) async fn set(
    kept: &Kept,
    (uid, device_flag): (&Uid, u8),
    token: &Secret<String>,
    level: u8,
    now: WallMs,
) -> Result<(), Reject> {
    let record = TokenRecord { hash: hash(token), level, at: now.0 };
    kept.put(key(uid, device_flag), &record).await
}

/// Takes a token away; nobody comes in with it any more.
pub(crate) async fn blank(kept: &Kept, uid: &Uid, device_flag: u8) -> Result<(), Reject> {
    kept.remove(key(uid, device_flag)).await
}

/// Whether the token is the one that was set for this user and kind of device.
pub(crate) async fn verify(
    kept: &Kept,
    uid: &Uid,
    device_flag: u8,
    token: &Secret<String>,
) -> Result<Admitted, Reject> {
    let record: Option<TokenRecord> = kept.get(&key(uid, device_flag)).await?;
    let record = record.ok_or(Reject::BadToken)?;
    if !bool::from(record.hash.as_bytes().ct_eq(hash(token).as_bytes())) {
        return Err(Reject::BadToken);
    }
    Ok(Admitted { is_master: record.level == MASTER, issued_at: WallMs(record.at) })
}

fn key(uid: &Uid, device_flag: u8) -> String {
    format!("token/{device_flag}/{uid}")
}

fn hash(token: &Secret<String>) -> String {
    let digest = Sha256::digest(token.expose().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
