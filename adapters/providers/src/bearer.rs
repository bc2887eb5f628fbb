//! What authorises requests: bought or signed once, kept until shortly before it ends, made anew
//! by one sender while the others wait for it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::header::InvalidHeaderValue;
use nightjar_model::Secret;
use nightjar_push::{Answer, Outcome};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// No bearer is used longer, whatever its vendor says.
const KEPT_MAX: Duration = Duration::from_secs(24 * 3600);

/// A new bearer as its vendor gave it.
pub(crate) struct Bought {
    value: HeaderValue,
    life: Duration,
}

impl Bought {
    /// One that lives for `life` from when it was asked for. `value` is what its header will say,
    /// scheme included.
    ///
    /// # Errors
    /// The value holds what no header can.
    pub(crate) fn new(value: &Secret<String>, life: Duration) -> Result<Self, InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(value.expose())?;
        value.set_sensitive(true);
        Ok(Self { value, life })
    }
}

/// A bearer in use.
#[derive(Clone)]
struct Bearer {
    value: HeaderValue,
    /// Which one of this process it is: says whether a rejected one was replaced already.
    number: u64,
    fresh_until: Instant,
}

#[derive(Default)]
struct State {
    bearer: Option<Bearer>,
    /// The last number given.
    number: u64,
    /// Why the last purchase failed, if it did.
    failure: Option<Answer>,
}

/// Keeps the bearer of one credential.
pub(crate) struct Bearers {
    early: Duration,
    /// Held while one is bought.
    state: Mutex<State>,
    /// Purchases that ended. Who waited while one ended shares its failure and buys none.
    ended: AtomicU64,
}

impl Bearers {
    /// Keeps none yet. Each is replaced `early` before its end, so that none ends under way; one
    /// that lives less than twice as long, after half its life.
    pub(crate) fn new(early: Duration) -> Self {
        Self { early, state: Mutex::default(), ended: AtomicU64::new(0) }
    }

    /// Sends with the bearer there is. If the answer is that it ended, buys another and sends once
    /// more; refused again, the keys are wrong.
    pub(crate) async fn authorised<B, S>(
        &self,
        buy: impl Fn() -> B,
        send: impl Fn(HeaderValue) -> S,
    ) -> Answer
    where
        B: Future<Output = Result<Bought, Answer>>,
        S: Future<Output = Answer>,
    {
        let mut rejected = None;
        loop {
            let bearer = match self.current(rejected, buy()).await {
                Ok(bearer) => bearer,
                Err(answer) => return answer,
            };
            let answer = send(bearer.value).await;
            match (answer.outcome, rejected) {
                (Outcome::AuthExpired, None) => rejected = Some(bearer.number),
                (Outcome::AuthExpired, Some(_)) => {
                    return Answer { outcome: Outcome::ConfigError, ..answer };
                }
                _ => return answer,
            }
        }
    }

    /// The bearer to send with; never the one numbered `rejected`.
    async fn current(
        &self,
        rejected: Option<u64>,
        buy: impl Future<Output = Result<Bought, Answer>>,
    ) -> Result<Bearer, Answer> {
        let ended = self.ended.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let usable = |bearer: &&Bearer| {
            Some(bearer.number) != rejected && Instant::now() < bearer.fresh_until
        };
        if let Some(bearer) = state.bearer.as_ref().filter(usable) {
            return Ok(bearer.clone());
        }
        if self.ended.load(Ordering::Acquire) != ended
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        state.bearer = None;
        let asked = Instant::now();
        let bought = buy.await;
        self.ended.fetch_add(1, Ordering::AcqRel);
        state.failure = bought.as_ref().err().cloned();
        let Bought { value, life } = bought?;
        state.number += 1;
        let fresh_until = asked + kept(life, self.early);
        let bearer = Bearer { value, number: state.number, fresh_until };
        Ok(state.bearer.insert(bearer).clone())
    }
}

fn kept(life: Duration, early: Duration) -> Duration {
    life.saturating_sub(early).max(life / 2).min(KEPT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_used_until_shortly_before_its_end() {
        let kept_s = |life_s| kept(Duration::from_secs(life_s), Duration::from_secs(300)).as_secs();
        assert_eq!([3599, 600, 400, 10, 0].map(kept_s), [3299, 300, 200, 5, 0]);
        assert_eq!(kept_s(u64::MAX), KEPT_MAX.as_secs());
    }

    fn bought(name: &str) -> Result<Bought, Answer> {
        Ok(Bought::new(&Secret::new(name.into()), Duration::from_secs(3600)).unwrap())
    }

    #[tokio::test]
    async fn a_bearer_refused_twice_is_a_fault_of_the_configuration() {
        let bearers = Bearers::new(Duration::ZERO);
        let sent = std::sync::Mutex::new(0);
        let answer = bearers
            .authorised(
                || async { bought("t") },
                |value| {
                    assert!(value.is_sensitive());
                    *sent.lock().unwrap() += 1;
                    async { Answer::new(Outcome::AuthExpired, "its word") }
                },
            )
            .await;
        assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::ConfigError, "its word"));
        assert_eq!(*sent.lock().unwrap(), 2);
    }

    /// Two senders hold one bearer when it ends; the second to notice takes what the first bought.
    #[tokio::test]
    async fn a_bearer_that_was_replaced_meanwhile_is_not_bought_again() {
        let bearers = Bearers::new(Duration::ZERO);
        let old = bearers.current(None, async { bought("old") }).await.ok().unwrap();
        let new = bearers.current(Some(old.number), async { bought("new") }).await.ok().unwrap();
        let shared = async { panic!("there is one already") };
        let again = bearers.current(Some(old.number), shared).await.ok().unwrap();
        assert_eq!((again.number, again.value), (new.number, new.value));
    }
}
