//! What this gateway keeps in the lanes' store.

use nightjar_decider::Handle;
use nightjar_model::{Command, Reject, Reply, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The gateway's name in the store.
const GATEWAY: &str = "wukong";
/// Names read at a time.
const PAGE: usize = 500;

/// Everything kept, by name.
#[derive(Clone)]
pub(crate) struct Kept(Handle);

impl Kept {
    pub(crate) fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// What stands under exactly this name. Something that cannot be read is nothing.
    pub(crate) async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Reject> {
        let page = self.page(key, "", 1).await?;
        let found = page.into_iter().next().filter(|(name, _)| name == key);
        Ok(found.and_then(|(_, json)| serde_json::from_str(json.expose()).ok()))
    }

    pub(crate) async fn put(&self, key: String, value: &impl Serialize) -> Result<(), Reject> {
        let json = serde_json::to_string(value).map_err(|_| Reject::Internal)?;
        self.write(key, Some(Secret::new(json))).await
    }

    pub(crate) async fn remove(&self, key: String) -> Result<(), Reject> {
        self.write(key, None).await
    }

    /// Every name that begins like this, without that beginning.
    pub(crate) async fn names(&self, prefix: &str) -> Result<Vec<String>, Reject> {
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.page(prefix, &after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(names) };
            after = last.clone();
            names.extend(
                page.iter().filter_map(|(name, _)| name.strip_prefix(prefix)).map(Into::into),
            );
        }
    }

    async fn page(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Secret<String>)>, Reject> {
        let command = Command::Kept {
            gateway: GATEWAY,
            prefix: prefix.to_owned(),
            after: after.to_owned(),
            limit,
        };
        match self.0.call(command).await? {
            Reply::Kept(page) => Ok(page),
            _ => Err(Reject::Internal),
        }
    }

    async fn write(&self, key: String, json: Option<Secret<String>>) -> Result<(), Reject> {
        self.0.call(Command::PutKept { gateway: GATEWAY, key, json }).await.map(|_| ())
    }
}
