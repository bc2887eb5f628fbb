//! The archive (XEP-0313): a view of the log, searched from its newest end.
//!
//! The archive of a user is the union of their direct conversations in the order of time. A search
//! reads each of them backwards until nothing older can belong to the page, and cuts the page out.

use std::collections::VecDeque;
use std::sync::Arc;

use nightjar_model::{
    Command, ConversationId, Entry, EntryKind, HistoryCommand, MessageId, Reject, Reply, Seq, Uid,
    WallMs,
};
use nightjar_xmpp::{Element, Jid, ns};

use crate::iq::{Condition, Iq, wall_ms};
use crate::stanza::Waiting;
use crate::stream::Stream;

/// Messages of a page when the client does not say.
const PAGE: usize = 50;
/// Messages of a page, at most.
const PAGE_MAX: usize = 250;
/// Entries asked of the lanes at a time.
const SLICE: usize = 256;
/// Entries a search may read: beyond, it is refused rather than answered with a hole.
const READ_MAX: usize = 20_000;
/// Conversations a search without `with` goes through, the most recent first.
const CONVERSATIONS_MAX: usize = 500;

/// A search on its way.
#[derive(Debug)]
pub(crate) struct Archive {
    id: String,
    query_id: Option<String>,
    filter: Filter,
    /// Conversations still to be read, with the place below which.
    left: VecDeque<(ConversationId, Option<Seq>)>,
    found: Vec<Arc<Entry>>,
    /// Entries found in the conversation being read.
    found_here: usize,
    read: usize,
}

/// What is searched for.
#[derive(Debug)]
struct Filter {
    with: Option<Uid>,
    start: Option<WallMs>,
    end: Option<WallMs>,
    page: Page,
    max: usize,
    is_flipped: bool,
}

/// Which part of what is found (XEP-0059).
#[derive(Debug)]
enum Page {
    First,
    Last,
    After(MessageId),
    Before(MessageId),
}

/// Where an entry stands in a user's archive.
fn place(entry: &Entry) -> (WallMs, &ConversationId, Seq) {
    (entry.at, &entry.conversation, entry.seq)
}

impl Stream {
    /// The client searches, or asks what it may search for.
    pub(crate) fn search_archive(&mut self, iq: &Iq<'_>, query: &Element) {
        if !iq.is_set {
            let form = form_of(&[
                ("with", "jid-single"),
                ("start", "text-single"),
                ("end", "text-single"),
            ]);
            let fields = Element::new(ns::MAM, "query").holding(form);
            return self.send_stanza(&Iq::result(&iq.id, Some(fields)));
        }
        if self.archive.is_some() {
            return self.send_stanza(&iq.refusal(Condition::ResourceConstraint));
        }
        let filter = match self.filter_of(query) {
            Ok(filter) => filter,
            Err(condition) => return self.send_stanza(&iq.refusal(condition)),
        };
        let with = filter.with.clone();
        self.archive = Some(Box::new(Archive {
            id: iq.id.clone(),
            query_id: query.get("queryid").map(str::to_owned),
            filter,
            left: VecDeque::new(),
            found: Vec::new(),
            found_here: 0,
            read: 0,
        }));
        match (with, self.uid.clone()) {
            (Some(with), Some(uid)) => {
                let conversation = ConversationId::direct(&uid, &with);
                self.search_in(VecDeque::from([(conversation, None)]));
            }
            _ => {
                let list = Command::Sync { since: None, limit: CONVERSATIONS_MAX };
                self.command(list, Waiting::Archive);
            }
        }
    }

    fn filter_of(&self, query: &Element) -> Result<Filter, Condition> {
        let mut filter = Filter {
            with: None,
            start: None,
            end: None,
            page: Page::First,
            max: PAGE,
            is_flipped: query.child(ns::MAM, "flip-page").is_some(),
        };
        let form = query.child(ns::DATA_FORM, "x");
        for field in form.into_iter().flat_map(Element::children) {
            let value = field.child(ns::DATA_FORM, "value").map(Element::text).unwrap_or_default();
            let time = || wall_ms(&value).map(Some).ok_or(Condition::BadRequest);
            match field.get("var") {
                Some("FORM_TYPE") => {}
                Some("with") => {
                    let with = Jid::parse(&value).map_err(|_| Condition::JidMalformed)?;
                    filter.with = Some(self.user_of(&with).ok_or(Condition::ItemNotFound)?);
                }
                Some("start") => filter.start = time()?,
                Some("end") => filter.end = time()?,
                _ => return Err(Condition::FeatureNotImplemented),
            }
        }
        let Some(set) = query.child(ns::RSM, "set") else { return Ok(filter) };
        let text_of = |name| set.child(ns::RSM, name).map(Element::text);
        if let Some(max) = text_of("max") {
            let max: usize = max.trim().parse().map_err(|_| Condition::BadRequest)?;
            filter.max = max.min(PAGE_MAX);
        }
        let id = |text: &str| MessageId::parse(text).map_err(|_| Condition::ItemNotFound);
        filter.page = match (text_of("after"), text_of("before")) {
            (Some(after), _) => Page::After(id(&after)?),
            (None, Some(before)) if before.is_empty() => Page::Last,
            (None, Some(before)) => Page::Before(id(&before)?),
            (None, None) => Page::First,
        };
        Ok(filter)
    }

    /// The lanes answered one of the search's questions.
    pub(crate) fn archived(&mut self, result: Result<Reply, Reject>) {
        match result {
            Ok(Reply::Sync(reply)) => {
                let conversations = reply.conversations.into_iter().map(|c| c.conversation);
                let direct = conversations.filter(|id| id.peers().is_some());
                self.search_in(direct.map(|id| (id, None)).collect());
            }
            Ok(Reply::History { entries, .. }) => self.found(entries),
            Err(Reject::UnknownConversation | Reject::UnknownUser) => self.next_conversation(),
            _ => self.give_up(Condition::ResourceConstraint),
        }
    }

    fn search_in(&mut self, conversations: VecDeque<(ConversationId, Option<Seq>)>) {
        let Some(archive) = &mut self.archive else { return };
        archive.left = conversations;
        self.read_older();
    }

    fn next_conversation(&mut self) {
        let Some(archive) = &mut self.archive else { return };
        archive.left.pop_front();
        archive.found_here = 0;
        self.read_older();
    }

    /// Asks for the next older entries of the conversation, or ends.
    fn read_older(&mut self) {
        let Some(archive) = &self.archive else { return };
        let Some((conversation, before)) = archive.left.front().cloned() else {
            return self.tell_page();
        };
        if archive.read >= READ_MAX {
            return self.give_up(Condition::ResourceConstraint);
        }
        let history = HistoryCommand { conversation, after: None, before, limit: SLICE };
        self.command(Command::History(history), Waiting::Archive);
    }

    fn found(&mut self, entries: Vec<Arc<Entry>>) {
        let Some(archive) = &mut self.archive else { return };
        archive.read += entries.len();
        let first = entries.first().cloned();
        for entry in entries {
            if archive.filter.may_hold(&entry) {
                archive.found_here += usize::from(archive.filter.fills_page(&entry));
                archive.found.push(entry);
            }
        }
        let is_done = first.as_ref().is_none_or(|first| {
            first.seq == 1 || archive.filter.is_past(first, archive.found_here)
        });
        if is_done {
            return self.next_conversation();
        }
        if let (Some(first), Some(front)) = (first, archive.left.front_mut()) {
            front.1 = Some(first.seq);
        }
        self.read_older();
    }

    fn give_up(&mut self, condition: Condition) {
        if let Some(archive) = self.archive.take() {
            self.send_stanza(&Iq::error(&archive.id, condition));
        }
    }

    fn tell_page(&mut self) {
        let Some(archive) = self.archive.take() else { return };
        let Archive { id, query_id, filter, mut found, .. } = *archive;
        found.sort_by(|a, b| place(a).cmp(&place(b)));
        let Some((mut page, is_complete)) = filter.cut(&found) else {
            return self.send_stanza(&Iq::error(&id, Condition::ItemNotFound));
        };
        let ends =
            page.first().zip(page.last()).map(|(first, last)| (first.message_id, last.message_id));
        if filter.is_flipped {
            page.reverse();
        }
        for entry in page {
            let result = self.result_of(entry, query_id.as_deref());
            self.send_stanza(&result);
        }
        let mut set = Element::new(ns::RSM, "set");
        if let Some((first, last)) = ends {
            set.push(Element::new(ns::RSM, "first").saying(first.to_string()));
            set.push(Element::new(ns::RSM, "last").saying(last.to_string()));
        }
        let complete = is_complete.then_some("true");
        let fin = Element::new(ns::MAM, "fin").with_some("complete", complete).holding(set);
        self.send_stanza(&Iq::result(&id, Some(fin)));
    }

    fn result_of(&self, entry: &Entry, query_id: Option<&str>) -> Element {
        let mut message = self.message_of(entry);
        message.retain(|child| child.ns() != ns::DELAY);
        let forwarded =
            Element::new(ns::FORWARD, "forwarded").holding(self.delay_of(entry)).holding(message);
        let result = Element::new(ns::MAM, "result")
            .with_some("queryid", query_id)
            .with("id", entry.message_id.to_string())
            .holding(forwarded);
        Element::new(ns::CLIENT, "message")
            .with_some("to", self.jid.as_ref().map(ToString::to_string))
            .holding(result)
    }
}

impl Filter {
    /// Whether an entry is one of those searched for.
    fn may_hold(&self, entry: &Entry) -> bool {
        entry.kind == EntryKind::Message
            && !entry.recalled
            && self.start.is_none_or(|start| entry.at >= start)
            && self.end.is_none_or(|end| entry.at <= end)
    }

    /// Whether the entry is certainly one that a page taken from the newest end is filled with.
    fn fills_page(&self, entry: &Entry) -> bool {
        match &self.page {
            Page::Before(id) => entry.at < time_of(*id),
            _ => true,
        }
    }

    /// Whether nothing older than this entry can stand in the page.
    fn is_past(&self, oldest: &Entry, found: usize) -> bool {
        let is_early = self.start.is_some_and(|start| oldest.at < start);
        is_early
            || match &self.page {
                Page::First => false,
                // One more than a page says whether there is more.
                Page::Last => found > self.max,
                Page::After(id) => oldest.at < time_of(*id),
                Page::Before(id) => oldest.at < time_of(*id) && found > self.max,
            }
    }

    /// The page, and whether it is the last one in its direction; `None` if the id it starts from
    /// is not there.
    fn cut<'a>(&self, found: &'a [Arc<Entry>]) -> Option<(Vec<&'a Arc<Entry>>, bool)> {
        let at = |id: &MessageId| found.iter().position(|entry| entry.message_id == *id);
        let (part, is_forward) = match &self.page {
            Page::First => (found, true),
            Page::Last => (found, false),
            Page::After(id) => (&found[at(id)? + 1..], true),
            Page::Before(id) => (&found[..at(id)?], false),
        };
        let is_complete = part.len() <= self.max;
        let part = match is_forward {
            true => &part[..part.len().min(self.max)],
            false => &part[part.len() - part.len().min(self.max)..],
        };
        Some((part.iter().collect(), is_complete))
    }
}

/// The moment a message's id was made: the first 48 bits of a UUIDv7, in ms (RFC 9562 §5.7).
fn time_of(id: MessageId) -> WallMs {
    let bytes = id.as_bytes();
    WallMs(bytes[..6].iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte)))
}

fn form_of(fields: &[(&'static str, &'static str)]) -> Element {
    let kind = Element::new(ns::DATA_FORM, "value").saying(ns::MAM);
    let kind = Element::new(ns::DATA_FORM, "field")
        .with("var", "FORM_TYPE")
        .with("type", "hidden")
        .holding(kind);
    let mut form = Element::new(ns::DATA_FORM, "x").with("type", "form").holding(kind);
    for (name, kind) in fields {
        form.push(Element::new(ns::DATA_FORM, "field").with("var", *name).with("type", *kind));
    }
    form
}
