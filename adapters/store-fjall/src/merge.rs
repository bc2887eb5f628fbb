//! Rows of a span: the overlay over the store, in order.

use std::cmp::Ordering;
use std::iter::Peekable;

use fjall::{UserKey, UserValue};
use nightjar_domain::Row;

use crate::disk::Disk;
use crate::failure::{Failure, engine};
use crate::key::{Span, Table};
use crate::overlay::Overlay;
use crate::value;

/// Streams the rows of a span from its lower end, or from the upper one when it asks for the
/// newest; its limit is the caller's.
pub(crate) fn rows<'a>(
    disk: &Disk,
    overlay: &'a Overlay,
    span: &Span,
) -> impl Iterator<Item = Result<Row, Failure>> + use<'a> {
    let table = span.table;
    // The overlay first: what leaves it meanwhile is in the store by then.
    let merge = (!span.is_empty()).then(|| Merge {
        table,
        newest: span.newest,
        over: Walk { inner: overlay.range(span), newest: span.newest }.peekable(),
        under: Walk { inner: disk.iter(span), newest: span.newest }
            .map(|guard| guard.into_inner().map_err(engine("a row cannot be read")))
            .peekable(),
    });
    merge.into_iter().flatten()
}

/// A range walked from either end.
struct Walk<I> {
    inner: I,
    newest: bool,
}

impl<I: DoubleEndedIterator> Iterator for Walk<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if self.newest { self.inner.next_back() } else { self.inner.next() }
    }
}

struct Merge<A: Iterator, B: Iterator> {
    table: Table,
    newest: bool,
    over: Peekable<A>,
    under: Peekable<B>,
}

impl<'a, A, B> Merge<A, B>
where
    A: Iterator<Item = (&'a UserKey, Option<&'a Row>)>,
    B: Iterator<Item = Result<(UserKey, UserValue), Failure>>,
{
    /// Which of the two comes first; `Equal` when both have the key.
    fn order(&mut self) -> Option<Ordering> {
        let under = self.under.peek();
        Some(match (self.over.peek(), under) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) | (_, Some(Err(_))) => Ordering::Greater,
            (Some((over, _)), Some(Ok((under, _)))) if self.newest => under.cmp(over),
            (Some((over, _)), Some(Ok((under, _)))) => (*over).cmp(under),
        })
    }
}

impl<'a, A, B> Iterator for Merge<A, B>
where
    A: Iterator<Item = (&'a UserKey, Option<&'a Row>)>,
    B: Iterator<Item = Result<(UserKey, UserValue), Failure>>,
{
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = self.order()?;
            if order == Ordering::Greater {
                let table = self.table;
                return self.under.next().map(|row| value::decode(table, &row?.1));
            }
            if order == Ordering::Equal {
                self.under.next();
            }
            if let (_, Some(row)) = self.over.next()? {
                return Some(Ok(row.clone()));
            }
        }
    }
}
