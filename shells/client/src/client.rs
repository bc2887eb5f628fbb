//! A client for apps: orders in, news out.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use nightjar_client_core::fetch::Push;
use nightjar_client_core::{
    AmendmentRow, Client as Machine, Config, ConversationRow, Draft, Identity, Input, Ledger,
    MessageRow, Restored,
};
use nightjar_model::{
    ClientMsgId, ContactAction, ConversationId, MessageId, NotificationId, Platform, Secret, Seq,
    Target, Uid, WallMs,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::driver::{Driver, News, Order, Shared};
use crate::ledger::LedgerFile;
use crate::line::Line;
use crate::store::{Lists, Store, StoreError};
use crate::transport::{Address, Connector};

/// Orders that wait for the task; who gives more waits.
const ORDERS_MAX: usize = 64;
/// News that wait for the app, besides those the task keeps.
const NEWS_MAX: usize = 64;

/// What a client needs to start.
#[derive(Debug)]
pub struct Settings {
    /// Tried in turn, at least one.
    pub servers: Vec<Address>,
    /// How to reach them.
    pub connector: Connector,
    /// Who logs in.
    pub identity: Identity,
    /// What the app runs on.
    pub platform: Platform,
    /// Name and version of the app, for operators.
    pub app: Option<String>,
    /// Where everything is kept, and what was in it; `None` keeps nothing.
    pub store: Option<(Store, Restored)>,
    /// Where app and extension write down who alerts of what; `None` for an app without one,
    /// which forgets it at its end.
    pub ledger: Option<LedgerFile>,
    /// Where to write down what the machine is given ([`nightjar_client_core::Record`]); as private
    /// as the store.
    pub record: Option<std::fs::File>,
}

/// A running client. Dropping it stops it, too; [`Client::close`] also tells whether that worked.
#[derive(Debug)]
pub struct Client {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<Result<(), Arc<StoreError>>>,
}

/// The client has ended; its last news says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client has ended")]
pub struct Gone;

impl Client {
    /// Starts a client on this runtime; it connects at once and stays connected. Its news have to
    /// be taken: a client whose news pile up stops reading.
    #[must_use]
    pub fn start(settings: Settings) -> (Self, mpsc::Receiver<News>) {
        let config = Config {
            servers: settings.servers.len(),
            platform: settings.platform,
            client: settings.app,
            ..Config::default()
        };
        let mut clock = Clock::start();
        let (store, restored) = settings
            .store
            .map_or((None, Restored::default()), |(store, restored)| (Some(store), restored));
        let (orders, given) = mpsc::channel(ORDERS_MAX);
        let (told, news) = mpsc::channel(NEWS_MAX);
        let now = clock.now();
        let driver = Driver {
            machine: Machine::new(Arc::new(config), settings.identity, restored, now),
            clock,
            servers: settings.servers,
            connector: settings.connector,
            store,
            ledger: settings.ledger.map_or_else(|| Shared::Alone(Ledger::default()), Shared::File),
            orders: given,
            news: told,
            line: Line::default(),
            untold: VecDeque::new(),
            closing: None,
            record: settings.record,
            has_failed: false,
        };
        let first = orders.try_send(Order::Input(Input::Start));
        debug_assert!(first.is_ok(), "a new channel has room");
        (Self { orders, task: tokio::spawn(driver.run()) }, news)
    }

    /// Writes a message; answers the id it keeps for good. News tell when it is queued and sent.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn send(&self, to: Target, content: Bytes) -> Result<ClientMsgId, Gone> {
        let id = new_id();
        let (push, expires_at, depends_on) = (None, None, Vec::new());
        let client_msg_id = Some(id.clone());
        let draft = Draft { client_msg_id, to, content, push, expires_at, depends_on };
        self.input(Input::Send(Box::new(draft))).await?;
        Ok(id)
    }

    /// Writes a message with everything one may say about it.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn send_draft(&self, draft: Draft) -> Result<(), Gone> {
        self.input(Input::Send(Box::new(draft))).await
    }

    /// An upload that messages wait for is done.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn upload_done(&self, upload: String) -> Result<(), Gone> {
        self.input(Input::UploadDone(upload)).await
    }

    /// An upload that messages wait for will not be done.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn upload_failed(&self, upload: String) -> Result<(), Gone> {
        self.input(Input::UploadFailed(upload)).await
    }

    /// The user read up to here.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn read(&self, conversation: ConversationId, seq: Seq) -> Result<(), Gone> {
        self.input(Input::Read { conversation, seq }).await
    }

    /// Takes a message back.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn recall(&self, conversation: ConversationId, seq: Seq) -> Result<(), Gone> {
        self.input(Input::Recall { conversation, seq }).await
    }

    /// Says what a message of one's own reads now.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn edit(
        &self,
        conversation: ConversationId,
        seq: Seq,
        content: Bytes,
    ) -> Result<(), Gone> {
        self.input(Input::Edit { conversation, seq, content }).await
    }

    /// Reacts to a message, or takes that back.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn react(
        &self,
        conversation: ConversationId,
        seq: Seq,
        emoji: String,
        remove: bool,
    ) -> Result<(), Gone> {
        self.input(Input::React { conversation, seq, emoji, remove }).await
    }

    /// Asks the server for older messages; [`nightjar_client_core::Event::History`] brings them.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn history(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<(), Gone> {
        self.input(Input::History { conversation, before, limit }).await
    }

    /// Messages this device has, below a place or the newest, ascending. Empty without a store.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn messages(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<MessageRow>, Gone> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Messages(conversation, before, limit, answer)).await?;
        answered.await.map_err(|_| Gone)
    }

    /// Edits and reactions this device knows of the messages between two places, both included,
    /// by message and in order. Empty without a store.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn amendments(
        &self,
        conversation: ConversationId,
        targets: (Seq, Seq),
    ) -> Result<Vec<AmendmentRow>, Gone> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Amendments(conversation, targets, answer)).await?;
        answered.await.map_err(|_| Gone)
    }

    /// Conversations this device knows, the last changed first. Empty without a store.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn conversations(&self) -> Result<Vec<ConversationRow>, Gone> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Conversations(answer)).await?;
        answered.await.map_err(|_| Gone)
    }

    /// Contacts, groups and profiles this device knows. Empty without a store.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn lists(&self) -> Result<Lists, Gone> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Lists(answer)).await?;
        answered.await.map_err(|_| Gone)
    }

    /// Changes what somebody is to the user.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn change_contact(&self, uid: Uid, action: ContactAction) -> Result<(), Gone> {
        self.input(Input::Contact { uid, action }).await
    }

    /// The app is on the screen, with this conversation open.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn foreground(&self, conversation: Option<ConversationId>) -> Result<(), Gone> {
        self.input(Input::Foreground { conversation }).await
    }

    /// The app left the screen of a system that freezes processes, which grants so many
    /// milliseconds. News tell when everything is closed.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn enter_background(&self, budget_ms: u32) -> Result<(), Gone> {
        self.input(Input::EnterBackground { budget_ms }).await
    }

    /// A push or the system's timer woke the process in the background, for so long.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn woken(&self, budget_ms: u32) -> Result<(), Gone> {
        self.input(Input::Woken { budget_ms }).await
    }

    /// The app left the screen in a process that stays and posts notifications for so many
    /// milliseconds, -1 for as long as it is connected.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn background(&self, grace_ms: i64) -> Result<(), Gone> {
        self.input(Input::Background { grace_ms }).await
    }

    /// A notification was posted, or could not be.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn notified(&self, id: NotificationId, is_posted: bool) -> Result<(), Gone> {
        let input = if is_posted { Input::Notified(id) } else { Input::NotNotified(id) };
        self.input(input).await
    }

    /// Notifications are off the screen, as [`News::Withdraw`] asked, or were not on it.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn removed(&self, ids: Vec<NotificationId>) -> Result<(), Gone> {
        self.input(Input::Removed(ids)).await
    }

    /// A person opened a notification, or swiped it away.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn notification_left(&self, id: NotificationId, is_opened: bool) -> Result<(), Gone> {
        self.input(match is_opened {
            true => Input::NotificationOpened(id),
            false => Input::NotificationDismissed(id),
        })
        .await
    }

    /// A push reached the running app. Whether it alerts is for [`crate::fetch()`].
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn push_received(&self, push: Push) -> Result<(), Gone> {
        self.input(Input::PushReceived(Box::new(push))).await
    }

    /// The system dropped pushes.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn push_gap(&self) -> Result<(), Gone> {
        self.input(Input::PushGap).await
    }

    /// The token that was asked for.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn token(&self, token: Secret<String>) -> Result<(), Gone> {
        self.input(Input::Token(token)).await
    }

    /// Anything else the machine takes from an app.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn input(&self, input: Input<'static>) -> Result<(), Gone> {
        self.order(Order::Input(input)).await
    }

    /// Says goodbye to the server, writes what was committed and closes the file: nothing of this
    /// client runs afterwards.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn close(self) -> Result<(), Arc<StoreError>> {
        drop(self.orders);
        self.task.await.unwrap_or_else(|_| Err(Arc::new(StoreError::Stopped)))
    }

    /// Ends the task wherever it is, as the end of the process would.
    #[cfg(test)]
    pub(crate) fn abort(self) {
        self.task.abort();
    }

    async fn order(&self, order: Order) -> Result<(), Gone> {
        self.orders.send(order).await.map_err(|_| Gone)
    }
}

/// A UUIDv7 (RFC 9562), as the machine itself would make one.
fn new_id() -> ClientMsgId {
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("the system has random bytes");
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ms = u64::try_from(since_epoch.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    let id = MessageId::new(WallMs(ms), &random).to_string();
    ClientMsgId::parse(&id).expect("a UUID is an id")
}
