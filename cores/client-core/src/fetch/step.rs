//! Where a run is, as a table.

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchState {
    /// May this message be alerted of?
    Claiming,
    /// The server is asked for it.
    Fetching,
    /// What came besides it is claimed and posted, and what is taken back is removed.
    Posting,
    /// The ledger is told what is on the screen.
    Recording,
    /// The server is told.
    Telling,
    /// Over.
    Done,
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchEvent {
    /// The claim was granted.
    Granted,
    /// It was refused, or there is nothing to claim.
    Refused,
    /// The server answered.
    Fetched,
    /// It did not, or not in time.
    NotFetched,
    /// Nothing is open any more of what the state waits for.
    Settled,
    /// The server knows, or will not hear it.
    Told,
    /// The time of the whole run is over.
    Expired,
}

impl FetchState {
    /// The whole table. `None`: it came late or twice, nothing moves.
    #[must_use]
    pub fn next(self, event: FetchEvent) -> Option<Self> {
        use FetchEvent::{Expired, Fetched, Granted, NotFetched, Refused, Settled, Told};
        use FetchState::{Claiming, Done, Fetching, Posting, Recording, Telling};
        Some(match (self, event) {
            (Claiming, Granted) => Fetching,
            (Claiming, Refused) | (Fetching, Fetched | NotFetched) => Posting,
            (Posting, Settled) => Recording,
            (Recording, Settled) => Telling,
            (Telling, Told) => Done,
            (Claiming | Fetching | Posting | Recording | Telling, Expired) => Done,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_state_and_event() {
        use FetchEvent::{Expired, Fetched, Granted, NotFetched, Refused, Settled, Told};
        use FetchState::{Claiming, Done, Fetching, Posting, Recording, Telling};
        let mut table = String::new();
        for state in [Claiming, Fetching, Posting, Recording, Telling, Done] {
            for event in [Granted, Refused, Fetched, NotFetched, Settled, Told, Expired] {
                let next =
                    state.next(event).map_or_else(|| "-".to_owned(), |next| format!("{next:?}"));
                let (state, event) = (format!("{state:?}"), format!("{event:?}"));
                writeln!(table, "{state:9} {event:10} {next}").unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }
}
