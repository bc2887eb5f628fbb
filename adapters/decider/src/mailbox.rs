//! What waits for one connection.

use std::collections::VecDeque;
use std::sync::Mutex;

use nightjar_model::{Notice, Reject, Reply};
use tokio::sync::Notify;

/// Mail that may wait for a connection. A session never has more requests in flight than a
/// fraction of this, and deliveries are bounded by its window.
const MAIL_MAX: usize = 4_096;

/// One piece of mail.
#[derive(Debug)]
pub enum Mail {
    /// An answer to the session's request of that name.
    Reply(u32, Result<Reply, Reject>),
    /// Something unasked.
    Notice(Notice),
    /// The server goes away.
    Drain,
}

/// A queue that costs nothing while it is empty: most connections are idle most of the time.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    mail: VecDeque<Mail>,
    overflowed: bool,
}

impl Mailbox {
    /// Adds mail; beyond the bound the connection is lost instead.
    pub(crate) fn put(&self, mail: Mail) {
        let mut state = self.state.lock().expect("no holder of this lock can panic");
        if state.mail.len() >= MAIL_MAX {
            state.overflowed = true;
        } else {
            state.mail.push_back(mail);
        }
        drop(state);
        self.news.notify_one();
    }

    /// Waits for mail and takes all of it; `None` when it overflowed and the connection must end.
    pub(crate) async fn take(&self) -> Option<VecDeque<Mail>> {
        loop {
            {
                let mut state = self.state.lock().expect("no holder of this lock can panic");
                if state.overflowed {
                    return None;
                }
                if !state.mail.is_empty() {
                    return Some(std::mem::take(&mut state.mail));
                }
            }
            self.news.notified().await;
        }
    }
}
