//! A group's members as a list that can be asked for again: who is one, and what changed since.

use nightjar_model::{MemberView, MembersView, Reject, Role, Seq, Uid, limits};

use super::Conversation;
use crate::rows::MemberRow;

/// The token's form: the version and the uid listed last. Opaque to clients.
const TOKEN_PREFIX: &str = "v1.";
/// Bytes of one page, so that it fits a packet in either form.
const PAGE_BYTES_MAX: usize = limits::PACKET_BYTES_MAX - (16 << 10);
/// A member in either form, without the uid.
const MEMBER_FRAME_BYTES: usize = 64;

impl Conversation {
    /// Sees to it that a group with members has one of them as its owner, when `removed` will be
    /// gone: who has been a member for longest takes over. Answers who did.
    pub(super) fn hand_over(&mut self, removed: &[&Uid]) -> Option<Uid> {
        let stays = |uid: &Uid| self.is_member(uid) && !removed.contains(&uid);
        if self.row.owner.as_ref().is_some_and(stays) {
            return None;
        }
        let staying = self.members.values().filter(|row| stays(&row.uid));
        let next = staying.min_by_key(|row| (row.joined, &row.uid))?.uid.clone();
        let member = self.members.get_mut(&next)?;
        (member.is_owner, member.changed) = (true, self.row.head + 1);
        self.row.owner = Some(next.clone());
        Some(next)
    }

    /// One page of the members, in the order of their last change; without a token all who are
    /// members now, with one what changed after it, who left included. Past memberships are kept as
    /// long as the group, so no token is too old.
    ///
    /// # Errors
    /// [`Reject::BadRequest`] when this group never gave such a token.
    pub fn members_since(&self, since: Option<&str>) -> Result<MembersView, Reject> {
        let since = since.filter(|token| !token.is_empty());
        let after = since.map(|token| self.token(token)).transpose()?;
        let mut rows: Vec<(Seq, &MemberRow)> = self
            .members
            .values()
            .map(|row| (row.changed, row))
            .filter(|(version, row)| match &after {
                Some((place, uid)) => (*version, &row.uid) > (*place, uid),
                None => row.left.is_none(),
            })
            .collect();
        rows.sort_unstable_by(|(a, one), (b, other)| (a, &one.uid).cmp(&(b, &other.uid)));
        let mut view =
            MembersView { next: since.unwrap_or_default().to_owned(), ..Default::default() };
        let mut left = PAGE_BYTES_MAX;
        for (ver, row) in rows {
            // A uid may hold backslashes, which JSON writes twice.
            let Some(rest) = left.checked_sub(MEMBER_FRAME_BYTES + 2 * row.uid.as_str().len())
            else {
                break;
            };
            left = rest;
            view.next = format!("{TOKEN_PREFIX}{ver}.{}", row.uid);
            if row.left.is_some() {
                view.removed.push(row.uid.clone());
            } else {
                let role = if row.is_owner { Role::Owner } else { Role::Member };
                view.members.push(MemberView { uid: row.uid.clone(), role, ver });
            }
        }
        Ok(view)
    }

    fn token(&self, token: &str) -> Result<(Seq, Uid), Reject> {
        let (version, uid) = token
            .strip_prefix(TOKEN_PREFIX)
            .and_then(|rest| rest.split_once('.'))
            .ok_or(Reject::BadRequest)?;
        let version: Seq = version.parse().map_err(|_| Reject::BadRequest)?;
        let uid = Uid::parse(uid).map_err(|_| Reject::BadRequest)?;
        // A version above the head is of another life of this store.
        if version > self.row.head { Err(Reject::BadRequest) } else { Ok((version, uid)) }
    }
}
