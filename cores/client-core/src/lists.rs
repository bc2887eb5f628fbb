//! Contacts, groups and profiles: what `sync` and notices say of them becomes rows. The client
//! keeps none of them in memory; the store compares versions.

use nightjar_model::{
    ContactAction, ContactState, ContactView, GroupId, GroupView, ProfileView, Removed, Role, Uid,
};
use nightjar_wire::{Body, Kind, body};

use crate::incoming::Refusal;
use crate::requests::Asked;
use crate::then::Then;
use crate::{Client, Event, Row};

/// An item of the lists that `sync` keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// Somebody is a contact, asks or was asked, or is blocked. Key: its uid.
    Contact(ContactView),
    /// A group the user is a member of. Key: its id.
    Group(GroupView),
    /// What somebody looks like. Key: its uid.
    Profile(ProfileView),
    /// A contact or a group is none any more. Key: that of what is gone.
    Removed(Removed),
}

impl Client {
    /// Everything of a page but its conversations.
    pub(crate) fn synced_lists(&mut self, page: &mut body::SyncAnswer) {
        let contacts = page.contacts.drain(..).filter_map(contact);
        let groups = page.groups.drain(..).filter_map(group);
        let profiles = page.profiles.drain(..).filter_map(profile);
        let removed = page.removed.drain(..).filter_map(removed);
        for item in contacts.chain(groups).chain(profiles).chain(removed) {
            self.keep(item);
        }
    }

    /// A contact changed on another device, or the other changed it. What they look like comes
    /// with the list.
    pub(crate) fn told_contact(&mut self, change: body::ContactChange) {
        if let Some(item) = change.contact.and_then(contact) {
            self.keep(item);
            self.wants_sync |= self.config.syncs;
        }
    }

    fn keep(&mut self, item: Listed) {
        self.rows.push(Row::Listed { list: self.account.list, item: Box::new(item.clone()) });
        self.thens.push(Then::Tell(Event::Listed(Box::new(item))));
    }

    /// Asked now or not at all: the other may have changed it when the link is back.
    pub(crate) fn change_contact(&mut self, uid: &Uid, action: ContactAction) {
        if !self.is_open || self.requests.is_full() {
            return self.tell(Event::Refused { kind: Kind::Contact, reject: None });
        }
        let (uid, action) = (uid.to_string(), action.as_str().to_owned());
        let change = body::ContactChange { uid, action, contact: None };
        self.ask(Asked::Contact, Kind::Contact, Body::ContactChange(change));
    }

    /// It is done. What came of it depends on the other, too, so the list says it.
    pub(crate) fn contact_changed(&mut self) {
        self.wants_sync |= self.config.syncs;
    }

    pub(crate) fn refused_contact(&mut self, refusal: Refusal) {
        self.tell(Event::Refused { kind: Kind::Contact, reject: refusal.reject });
    }

    /// A first page of all there is: what its pages do not name belongs to an older list.
    pub(crate) fn begin_list(&mut self) {
        self.account.list = self.account.list.saturating_add(1);
        self.account.is_listing = true;
    }

    /// The last page: of a list that began anew nothing older stays.
    pub(crate) fn end_list(&mut self) {
        if std::mem::take(&mut self.account.is_listing) {
            let list = self.account.list;
            self.rows.push(Row::Swept(list));
            self.places.retain(|_, place| place.list >= list);
            self.thens.push(Then::Tell(Event::Relisted));
        }
    }
}

/// `None` for a state of a later version.
fn contact(contact: body::Contact) -> Option<Listed> {
    let uid = Uid::parse(&contact.uid).ok()?;
    let state = ContactState::ALL.into_iter().find(|state| state.as_str() == contact.state)?;
    let (blocked, ver) = (contact.blocked.unwrap_or(false), contact.ver);
    Some(if state == ContactState::None && !blocked {
        Listed::Removed(Removed::Contact { uid, ver })
    } else {
        Listed::Contact(ContactView { uid, state, blocked, ver })
    })
}

/// A role of a later version may do at least what a member may.
fn group(group: body::Group) -> Option<Listed> {
    let id = GroupId::parse(&group.id).ok()?;
    let role = if group.role == Role::Owner.as_str() { Role::Owner } else { Role::Member };
    Some(Listed::Group(GroupView { group: id, name: group.name, role, ver: group.ver }))
}

fn profile(profile: body::Profile) -> Option<Listed> {
    let body::Profile { uid, name, avatar, ver } = profile;
    Some(Listed::Profile(ProfileView { uid: Uid::parse(&uid).ok()?, name, avatar, ver }))
}

fn removed(removed: body::Removed) -> Option<Listed> {
    let body::Removed { kind, id, ver } = removed;
    Some(Listed::Removed(match kind.as_str() {
        "contact" => Removed::Contact { uid: Uid::parse(&id).ok()?, ver },
        "group" => Removed::Group { group: GroupId::parse(&id).ok()?, ver },
        _ => return None,
    }))
}
